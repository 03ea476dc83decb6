"""AWS SNS: texts by its Publish, through boto3, whose calls block and so run in threads of the adapter's own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from messaging.providers import abreast
from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    OptedOut,
    Outcome,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.reading import shown
from messaging.providers.web import THROTTLED, check_url

SmsType = Literal["Promotional", "Transactional"]

# `Error.Code`: those of Publish and `OptedOut` were read in botocore 1.44's service description of SNS, those of
# throttling in its table of what may be repeated, both on 2026-11-25. Not verified: that Publish itself says
# `OptedOut`, and the codes that all of AWS's services share.
CODES: dict[str, Callable[[str], Outcome]] = {
    "OptedOut": OptedOut,
    "InvalidParameter": GiveUp, "ParameterValueInvalid": GiveUp, "ValidationException": GiveUp,
    "Throttled": SlowDown, "Throttling": SlowDown, "ThrottlingException": SlowDown, "ThrottledException": SlowDown,
    "RequestThrottled": SlowDown, "RequestThrottledException": SlowDown, "TooManyRequestsException": SlowDown,
    "RequestLimitExceeded": SlowDown, "BandwidthLimitExceeded": SlowDown, "LimitExceededException": SlowDown,
    "ServiceUnavailable": TryLater,
    "AuthorizationError": StopAll, "InvalidSecurity": StopAll, "InvalidClientTokenId": StopAll,
    "SignatureDoesNotMatch": StopAll, "IncompleteSignature": StopAll, "MissingAuthenticationToken": StopAll,
    "UnrecognizedClientException": StopAll, "AccessDenied": StopAll, "AccessDeniedException": StopAll,
    "ExpiredToken": StopAll, "ExpiredTokenException": StopAll, "RequestExpired": StopAll, "OptInRequired": StopAll,
    "InvalidAction": StopAll,
    "InternalError": Unknown, "InternalFailure": Unknown,
}  # fmt: skip
STATUSES: dict[int, Callable[[str], Outcome]] = {401: StopAll, 403: StopAll, THROTTLED: SlowDown, 503: TryLater}


class Publisher:
    """boto3's client of one account and the threads that wait for it; made at the first call.

    It never repeats a call by itself: SNS knows no key by which a repeated one would be seen.
    """

    def __init__(
        self, *, in_flight: int, timeout_seconds: float, session: dict[str, str], client: dict[str, Any]
    ) -> None:
        self.in_flight, self.timeout_seconds = in_flight, timeout_seconds
        self._session, self._client = session, client
        self._threads = ThreadPoolExecutor(in_flight, thread_name_prefix="sns")

    async def publish(self, **request: Any) -> str:
        """The id that SNS gave; raises what boto3 raises."""
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, lambda: self._sns.publish(**request))
        return str(answer["MessageId"])

    async def close(self) -> None:
        """End the threads when their calls have ended."""
        self._threads.shutdown(wait=False)

    @cached_property
    def _sns(self) -> Any:
        from boto3.session import Session  # some 0.3 s, which nobody waits for who does not use it
        from botocore.config import Config

        return Session(**self._session).client(
            "sns",
            config=Config(
                connect_timeout=self.timeout_seconds * 0.4,
                read_timeout=self.timeout_seconds * 0.5,
                # The first try is counted here. `max_attempts`: 1 would be one repetition.
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=self.in_flight,
            ),
            **self._client,
        )


class Sns:
    """Publishes each text to its phone in `region`, as `sender_id` where the country lets one be shown.

    Without `access_key_id` and `secret_access_key` boto3 looks for credentials in its own places (environment, files,
    the machine's role). `endpoint_url` is for tests and private endpoints. SNS takes no reference and calls nobody:
    there are no receipts and no replies. Raises `ValueError` with a sentence for options that cannot be meant.
    """

    LABEL = "AWS SNS"
    SECRETS = frozenset({"access_key_id", "secret_access_key"})
    HELP: ClassVar[Mapping[str, str]] = {
        "region": "Such as eu-west-1.",
        "sender_id": "At most 11 letters and digits, in countries that let one be shown.",
        "sms_type": "What AWS is to treat the messages as.",
        "access_key_id": "Both keys or neither: then they come from the machine's environment or role.",
        "secret_access_key": "Of that key.",
        "endpoint_url": "A private endpoint instead of AWS's own.",
    }

    def __init__(
        self,
        *,
        region: str,
        sender_id: str = "",
        sms_type: SmsType = "Promotional",
        access_key_id: str = "",
        secret_access_key: str = "",
        endpoint_url: str = "",
        in_flight: int = 20,
        timeout_seconds: float = 20.0,
    ) -> None:
        _require_boto3()
        if not region:
            raise ValueError("region must be given, such as eu-west-1")
        if sms_type not in get_args(SmsType):
            raise ValueError(f"sms_type must be one of {', '.join(get_args(SmsType))}")
        if sender_id and not (sender_id.isascii() and sender_id.isalnum() and len(sender_id) <= 11):
            raise ValueError("sender_id must be at most 11 letters and digits")
        if bool(access_key_id) != bool(secret_access_key):
            raise ValueError("access_key_id and secret_access_key are given together, or neither")
        self.capabilities = Capabilities(
            channels=frozenset({"sms"}), in_flight=in_flight, timeout_seconds=timeout_seconds, paces=True
        )
        self.attributes = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": sms_type}}
        if sender_id:
            self.attributes["AWS.SNS.SMS.SenderID"] = {"DataType": "String", "StringValue": sender_id}
        keys = {"aws_access_key_id": access_key_id, "aws_secret_access_key": secret_access_key}
        self.publisher = Publisher(
            in_flight=in_flight,
            timeout_seconds=timeout_seconds,
            session={"region_name": region} | (keys if access_key_id else {}),
            client={"endpoint_url": check_url("endpoint_url", endpoint_url)} if endpoint_url else {},
        )

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, published each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._publish)

    async def _publish(self, envelope: Envelope) -> Outcome:
        await asyncio.sleep(envelope.not_before - asyncio.get_running_loop().time())
        try:
            return Accepted(
                await self.publisher.publish(
                    PhoneNumber=envelope.to, Message=envelope.text, MessageAttributes=self.attributes
                )
            )
        except Exception as fault:  # noqa: BLE001  (boto3's faults have no other common ancestor)
            return _outcome(fault)


def _require_boto3() -> None:
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise ValueError("the package boto3 is not installed")


def _outcome(fault: Exception) -> Outcome:
    """What a fault of boto3's means; its sentence may hold the phone and is not repeated."""
    from botocore import exceptions

    name = type(fault).__name__
    if isinstance(fault, exceptions.ClientError):
        return _refusal(fault.response)
    if isinstance(
        fault, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError | exceptions.ProxyConnectionError
    ):
        return TryLater(f"not connected: {name}")
    if isinstance(
        fault, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.CredentialRetrievalError
    ):
        return StopAll(f"no credentials: {name}")
    if isinstance(fault, exceptions.ParamValidationError):
        return GiveUp(f"not sent: {name}")
    return Unknown(f"no answer: {name}")


def _refusal(response: dict[str, Any]) -> Outcome:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(response.get("Error", {}).get("Code", ""))
    error = f"HTTP {status}, {shown(code)}"
    meaning = CODES.get(code) or STATUSES.get(status) or (GiveUp if 400 <= status < 500 else Unknown)
    return meaning(error)
