# Everything that a person or CI does with a checkout. Each target sets up what it needs in .venv.
# On a bare Debian with Python 3.11 and pip: `make demo`, `make test`.

PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# pip compiles on one core what it installs, tests of the packages too: a minute and a half in all.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib > /dev/null 2>&1 || true

.PHONY: demo test test-slow test-slurm test-adapters test-fastai1 check docs evidence format pictures vega lines clean
.DELETE_ON_ERROR:

demo: $(VENV)/.train
	$(BIN)/seedwise demo

# Every process of the tests has as many threads of torch as there are cores; by default those
# that wait keep a core busy: a step of a training took 7 s of CPU time instead of 2.
test: $(VENV)/.dev $(VENV)/.browser
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n auto --dist worksteal

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m slow --timeout 7200

test-slurm: $(VENV)/.dev ## the Slurm scripts of docs/cluster.md, on a cluster of two nodes on this machine
	command -v slurmctld sbatch munged > /dev/null || { test "$$(id -u)" = 0 && \
	  apt-get -qq -o DPkg::Lock::Timeout=300 update && \
	  apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends slurm-wlm munge; \
	} > /dev/null 2>&1 || echo "no Slurm can be had: its tests are skipped"
	$(BIN)/python -m pytest -m slurm --timeout 1200

test-adapters: $(VENV)/.adapters ## adapters and examples with every library that they are for
	SEEDWISE_REQUIRE_ADAPTERS=1 $(BIN)/python -m pytest -m adapters

test-fastai1: $(VENV)-fastai1/.dev ## the adapter of fastai 1, which needs an environment of its own
	SEEDWISE_REQUIRE_ADAPTERS=1 $(VENV)-fastai1/bin/python -m pytest -m adapters tests/adapters/test_fastai1.py tests/adapters/test_docs.py

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/.docs ## docs/_build/html/index.html; a warning is an error
	$(BIN)/sphinx-build -E -W --keep-going -q docs docs/_build/html

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pictures: $(VENV)/.browser ## docs/terminal.svg and docs/report.png, of the demo's study
	$(BIN)/python docs/terminal.py
	$(BIN)/python docs/picture.py

evidence: $(VENV)/.dev ## the studies of docs/study, on a GPU: IMAGES=an archive or folder of Imagenette
	@test -n "$(IMAGES)" || { echo "say which images: make evidence IMAGES=path/to/imagenette.tar"; exit 2; }
	$(BIN)/python evidence/make.py "$(IMAGES)"
	$(BIN)/python evidence/gather.py
	$(BIN)/python evidence/tell.py

vega: ## what reports carry to draw charts, from the versions that javascript/package-lock.json pins; needs npm
	cd javascript && npm ci --silent --no-audit --no-fund && npm run --silent build

lines: ## the five largest modules
	@wc -l $$(git ls-files 'src/*.py') | sort -rn | sed -n 2,6p

clean:
	rm -rf $(VENV) $(VENV)-fastai1 docs/_build docs/records

# constraints.txt pins what CI runs with; the ranges of pyproject.toml are what users may have.
# torch goes first and alone, by its plain version: whatever build of it pip finds is the build.
# venv without pip, and then pip by pip: Debian ships venv's ensurepip in a package of its own.
$(VENV)/.train: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	test -x $(BIN)/pip || $(PYTHON) -m pip --python $(BIN)/python install --quiet pip
	$(INSTALL) $(CONSTRAINTS) torch
	$(INSTALL) $(CONSTRAINTS) -e '.[train,digits]'
	$(COMPILE)
	touch $@

$(VENV)/.dev: $(VENV)/.train requirements-dev.txt requirements-nodeps.txt
	$(INSTALL) $(CONSTRAINTS) -r requirements-dev.txt
	$(INSTALL) --no-deps -r requirements-nodeps.txt
	$(COMPILE)
	touch $@

# A Chromium for the tests of reports: one that is there, Debian's where it may be installed, or
# Playwright's. Without one they are skipped, with the reason; with SEEDWISE_REQUIRE_BROWSER set they fail.
$(VENV)/.browser: $(VENV)/.dev
	command -v chromium || command -v google-chrome || { \
	  test "$$(id -u)" = 0 && apt-get -qq -o DPkg::Lock::Timeout=300 update && \
	  apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends chromium; \
	} > /dev/null 2>&1 || timeout 120 $(BIN)/playwright install chromium > /dev/null 2>&1 || \
	  echo "no Chromium can be had: tests that need a browser are skipped"
	touch $@

$(VENV)/.docs: $(VENV)/.dev requirements-docs.txt
	$(INSTALL) $(CONSTRAINTS) -r requirements-docs.txt
	$(COMPILE)
	touch $@

# The package and pytest first; then fastai 1 without what it asks for: torchvision is not used.
$(VENV)-fastai1/.dev: pyproject.toml constraints.txt requirements-fastai1.txt
	$(MAKE) VENV=$(VENV)-fastai1 $(VENV)-fastai1/.train
	$(VENV)-fastai1/bin/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -r requirements-fastai1.txt
	$(VENV)-fastai1/bin/python -m pip install --quiet --disable-pip-version-check --no-deps fastai==1.0.61
	touch $@

$(VENV)/.adapters: $(VENV)/.dev requirements-adapters.txt
	$(INSTALL) $(CONSTRAINTS) -r requirements-adapters.txt
	$(COMPILE)
	touch $@
