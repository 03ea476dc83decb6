// An SMPP carrier that fails as the phone's last digits say: what Kannel's own fake SMSC cannot.
const smpp = require("smpp");

const FATES = {
  "0001": { state: 2, stat: "DELIVRD", err: "000" },
  "0002": { state: 5, stat: "UNDELIV", err: "012" },
  "0003": { state: 3, stat: "EXPIRED", err: "000" },
  "0004": { state: 8, stat: "REJECTD", err: "061" },
  "0005": { state: 6, stat: "ACCEPTD", err: "000" },
};
const INVALID_PHONE = "0006";
let made = 0;

smpp
  .createServer({}, (session) => {
    session.on("error", () => session.close());
    session.on("bind_transceiver", (pdu) => session.send(pdu.response({ system_id: "test" })));
    session.on("enquire_link", (pdu) => session.send(pdu.response()));
    session.on("unbind", (pdu) => session.send(pdu.response()));
    session.on("submit_sm", (pdu) => {
      const last = pdu.destination_addr.slice(-4);
      if (last === INVALID_PHONE) {
        session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
        return;
      }
      const id = `m${++made}`;
      session.send(pdu.response({ message_id: id }));
      const { state, stat, err } = FATES[last] || FATES["0001"];
      const words = `id:${id} sub:001 dlvrd:001 submit date:2611250800 done date:2611250800 stat:${stat} err:${err} text:Habari`;
      const receipt = {
        esm_class: 4,
        source_addr: pdu.destination_addr,
        destination_addr: pdu.source_addr,
        receipted_message_id: id,
        message_state: state,
        short_message: words,
      };
      setTimeout(() => session.deliver_sm(receipt), 20);
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
