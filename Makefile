# One command each. Everything needs only Python 3.11 to 3.13, make and git.
#   make run                      start Clarion with demo data, until Ctrl-C
#   make test ARGS="-k launch"    the tests; ARGS go to pytest
#   make chaos KILLS=20 SEED=1    campaigns under kill -9; compares the ledger with the provider's own log
#   make peers                    the tests against what others wrote: Kannel, prism, moto, the vendors' SDKs
#   make check                    all that CI asks for
#   make bench ARGS="http scale"  the figures, each beside its yardstick; BENCH_ROWS=200000; also in var/bench.json
# PY names the Python that makes .venv: make run PY=python3.12

FIT = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PY ?= $(or $(shell for p in python3 python3.11 python3.12 python3.13; do \
	"$$p" -c '$(FIT)' 2>/dev/null && echo "$$p" && break; done),python3)

.DEFAULT_GOAL := run
.PHONY: run test check chaos bench peers lock format clean

run:
	@$(PY) dev.py run

test:
	@$(PY) dev.py test $(ARGS)

check:
	@$(PY) dev.py check $(ARGS)

chaos:
	@$(PY) dev.py chaos

bench:
	@$(PY) dev.py bench $(ARGS)

# Installs what it can in var/peers, once; what is missing is skipped with its reason.
peers:
	@$(PY) dev.py peers $(ARGS)

# For maintainers: resolve pyproject.toml anew (needs uv).
lock:
	@$(PY) dev.py lock

format:
	@$(PY) dev.py with-servers sh -c 'ruff format . && ruff check --fix .'

# The data of `make run` in var/ stays.
clean:
	rm -rf .venv .venv.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles
