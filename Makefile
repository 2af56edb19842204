# make demo    shows the gateway at work; ARGS="--for 20" for a run without a terminal
# make venv    .venv with the command `tidegate`
# make test    lint, types and tests
# make fuzz    the decoders against atheris, for a minute, and what comes in over MQTT, 10^6 times;
#              ARGS="-max_total_time=600" for longer
# make torture kills and power cuts by the hundred; half an hour
# make test-rabbit: the tests with RabbitMQ; a minute or two, 500 MB of memory
# make deb     the Debian package, in dist/
# make rig     the package in a virtual machine with real devices; rig-short: the whole way once;
#              rig-image: the card's image; cutdisk: power cuts on a disk that loses what it has
# make image   a card's image of Debian packages, as root
# Needs python3 (3.11 or newer), python3-venv and make; the rest comes into .venv.

PYTHON ?= python3
VENV := .venv
ARGS ?=
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
# Debian keeps daemons, mosquitto too, where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/sbin

.PHONY: demo venv test mutation mutation-journal soak test-rabbit fuzz fuzz-short model torture lint schema mosquitto rabbitmq deb rig rig-short rig-image cutdisk image sbom pip-audit clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(VENV)/bin/tidegate demo $(ARGS)

venv: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "no venv for $(PYTHON): sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --editable '.[demo]'
	@$(VENV)/bin/python -m compileall -q gateway drivers
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "adding the tools for the tests ..."
	@$(PIP) install --editable '.[demo,dev]'
	@$(PIP) install --editable '.[peers]' >$(VENV)/peers.log 2>&1 || \
	  echo "no drivers of others to compare with: sudo apt-get install gcc python3-dev"
	@touch $@

# The broker first: who cannot have it is told before minutes of setting up.
test: mosquitto $(VENV)/installed-dev lint
	$(VENV)/bin/pytest $(ARGS)

# Control against a model of the world, for longer than a test may take.
model: $(VENV)/installed-dev
	TIDEGATE_MODEL_RUNS=$(or $(ARGS),500) $(VENV)/bin/pytest tests/gateway/test_control_model.py

fuzz: $(VENV)/installed-dev
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || $(PIP) install 'atheris>=3.0'
	$(VENV)/bin/python -m tests.fuzz.decoders $(or $(ARGS),-max_total_time=60)
	$(VENV)/bin/python -m tests.fuzz.commands $(or $(ARGS),-runs=1000000)

# A few seconds of it, as part of CI; where there is no wheel of atheris it says so.
fuzz-short: $(VENV)/installed-dev
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || $(PIP) install 'atheris>=3.0' || \
	  { echo "no atheris for this Python: not fuzzed"; exit 0; }; \
	$(VENV)/bin/python -m tests.fuzz.commands -runs=20000 && \
	$(VENV)/bin/python -m tests.fuzz.decoders -runs=5000

# Small changes of the decisions, one at a time, that their tests have to notice: about 20 minutes.
mutation: $(VENV)/installed-dev
	$(VENV)/bin/python -m tests.mutation $(ARGS)

# Long runs for a release: 1,000 kills, 200 power cuts of each kind (those on a loop device need
# root), every bit flip, the journal's model at random. About half an hour.
torture: $(VENV)/installed-dev mosquitto
	TIDEGATE_KILLS=1000 TIDEGATE_CUTS=200 TIDEGATE_FLIPS=1 TORTURE=20 $(VENV)/bin/pytest -s -q \
	  tests/e2e/test_kills.py tests/e2e/test_power_cuts.py tests/gateway/test_outbox_cuts.py \
	  tests/gateway/test_journal_flips.py --timeout 0 tests/gateway/test_journal_model.py $(ARGS)

# One node, and a cluster of three.
test-rabbit: rabbitmq $(VENV)/installed-dev
	$(VENV)/bin/pytest -m rabbit -rs tests/rabbit $(ARGS)

# Ten minutes in which link, broker and gateway fail at random; a minute of it is in the tests.
soak: $(VENV)/installed-dev mosquitto
	TIDEGATE_SOAK=$(or $(SECONDS),600) TIDEGATE_SOAK_SEED=$$$$ $(VENV)/bin/pytest -s -q \
	  tests/e2e/test_soak.py $(ARGS)

# How many small faults in the journal and in eviction the tests notice; all of them take an hour.
mutation-journal: $(VENV)/installed-dev
	$(VENV)/bin/python -m bench.mutation_journal $(or $(ARGS),--sample 300)

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

# The broker of the tests, and strace, which has system calls fail. As root, or where sudo asks for no
# password, they are installed; without strace its tests are skipped.
mosquitto:
	@command -v mosquitto >/dev/null && { command -v strace >/dev/null || [ "$$(id -u)" != 0 ]; } && \
	  exit; \
	if [ "$$(id -u)" = 0 ]; then run=; \
	elif sudo -n true 2>/dev/null; then run='sudo -n'; \
	else echo "the tests need a broker: sudo apt-get install mosquitto" >&2; exit 1; fi; \
	echo "installing mosquitto ..."; \
	$$run apt-get update -qq && \
	$$run env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mosquitto strace

# RabbitMQ and its Erlang, of Debian's packages, where it is not installed: unpacked in the .venv, no
# service started.
rabbitmq: $(VENV)/installed
	@tests/rabbit/fetch $(VENV)/rabbitmq

schema: $(VENV)/installed
	$(VENV)/bin/tidegate schema > deploy/gateway.schema.json

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The Debian package, in dist/.
deb: $(VENV)/installed
	@$(VENV)/bin/python deploy/debian/build.py

# The package in a virtual machine with real I2C, GPIO, serial and watchdog devices under systemd.
# RIG is the folder of the rig; its README says what it needs. The guest gets the kernel modules of
# tests/rig/modules as well, which takes a build of its own.
RIG ?= ../shared/rig
RIG_CACHE ?= $(HOME)/.cache/tidegate-rig
rig: $(VENV)/installed-dev mosquitto
	@test -x $(RIG)/build || { echo "no rig in $(RIG): make rig RIG=FOLDER" >&2; exit 1; }
	@rm -rf $(VENV)/rig && cp -r $(RIG)/. $(VENV)/rig && cat tests/rig/modules >>$(VENV)/rig/modules
	RIG_REQUIREMENTS=$(abspath $(RIG))/requirements.txt RIG_CACHE=$(RIG_CACHE) $(VENV)/rig/build
	RIG_CACHE=$(RIG_CACHE) TIDEGATE_RIG=$(abspath $(VENV)/rig) \
	  $(VENV)/bin/pytest -o addopts=-q --timeout 1800 tests/rig $(ARGS)

# The whole way once: installed, read, commanded, killed, plug pulled, accounted for. Where there is no
# rig, or it cannot be built (as root, with packages of Debian), nothing is done.
RIG_TOOLS := mmdebstrap qemu-system-x86 qemu-utils e2fsprogs kmod cpio xz-utils openssh-client \
  debian-archive-keyring
rig-short: $(VENV)/installed-dev mosquitto
	@if [ ! -x $(RIG)/build ]; then echo "no rig in $(RIG): not run"; exit; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "the rig is built as root: not run"; exit; fi; \
	if ! { command -v mmdebstrap && command -v qemu-system-x86_64; } >/dev/null; then \
	  echo "installing QEMU ..."; apt-get update -qq; DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qq -y --no-install-recommends $(RIG_TOOLS) >/dev/null; \
	fi; \
	$(RIG)/build || { echo "the rig could not be built: not run"; exit 0; }; \
	RIG_SLOW=$${RIG_SLOW:-4} TIDEGATE_RIG=$(abspath $(RIG)) \
	  $(VENV)/bin/pytest -o addopts=-q -s --timeout 3000 tests/rig/test_short.py

# A card's image of Debian packages, as root; ARGS="--board pi --read-only": deploy/image/build.py
image: $(VENV)/installed
	$(VENV)/bin/python deploy/image/build.py $(ARGS)

# That image, built and booted: first boot, a read-only root, cuts.
rig-image: $(VENV)/installed-dev mosquitto
	@test -x $(RIG)/build || { echo "no rig in $(RIG): make rig-image RIG=FOLDER" >&2; exit 1; }
	$(RIG)/build
	TIDEGATE_RIG=$(abspath $(RIG)) TIDEGATE_IMAGE=new $(VENV)/bin/pytest -o addopts=-q -s --timeout 3000 \
	  tests/rig/test_image.py

# Power cuts in that machine, on a disk that loses and reorders what was not flushed: ten minutes.
cutdisk: $(VENV)/installed-dev
	@test -x $(RIG)/build || { echo "no rig in $(RIG): make cutdisk RIG=FOLDER" >&2; exit 1; }
	$(RIG)/build
	TIDEGATE_RIG=$(abspath $(RIG)) TIDEGATE_DISK_CUTS=$(or $(CUTS),50) $(VENV)/bin/pytest -o addopts=-q \
	  -s --timeout 3600 tests/rig/test_cutdisk.py $(ARGS)

# What the package is made of, as CycloneDX; and what is known against it, where a feed can be had.
$(VENV)/supply/bin/python:
	@$(PYTHON) -m venv $(VENV)/supply
	@$@ -m pip --disable-pip-version-check --quiet install cyclonedx-bom pip-audit

sbom: $(VENV)/supply/bin/python
	@mkdir -p dist
	@$(VENV)/supply/bin/cyclonedx-py requirements --output-reproducible \
	  --output-file dist/sbom.json deploy/debian/libraries.txt
	@echo dist/sbom.json

pip-audit: $(VENV)/supply/bin/python
	$(VENV)/supply/bin/pip-audit --no-deps --disable-pip --requirement deploy/debian/libraries.txt
