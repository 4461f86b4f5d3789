# `make train` and `make test` do everything on a machine that has Python >= 3.11 and make.
# Another interpreter: make train PYTHON=python3.12

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help train test check format docs bench fuzz sanitize native-check clean

help:
	@echo "make train    set up and train on MNIST"
	@echo "make test     set up, then format check, lint, types, import rules and all tests"
	@echo "make check    the same without the tests"
	@echo "make format   format the code, and make the trees of files and the catalogue of sentences anew"
	@echo "make docs     set up, and build the documentation into build/site"
	@echo "make bench    set up the peers, measure what the README claims, and see that nothing got worse"
	@echo "make fuzz     give every parser 100,000 damaged files"
	@echo "make sanitize      run the tests of the C code under gcc's sanitizers (Linux)"
	@echo "make native-check  compile the C code for other machines, and try it where they can be emulated"
	@echo "make clean    remove the environment and everything that was made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "honshi needs Python 3.11 or newer; choose one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module does not work; on Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }

# One stamp for each set of packages: a second call installs nothing.
$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[lab,photos]'
	$(BIN)/python -m scripts.charts
	@touch $@

# What gettext reads is made of what people write.
CATALOGUE := src/honshi/locale/ja/LC_MESSAGES/honshi
$(CATALOGUE).mo: $(CATALOGUE).po $(VENV)/.installed
	$(BIN)/python -m scripts.catalogue --compile

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,lab]'
	$(BIN)/python -m scripts.browser
	@touch $@

$(VENV)/.installed-peers: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[peers,onnx]'
	@touch $@

train: $(VENV)/.installed $(CATALOGUE).mo
	$(BIN)/honshi train

check: $(VENV)/.installed-dev $(CATALOGUE).mo
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest --numprocesses 2 --dist worksteal

format: $(VENV)/.installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python -m scripts.catalogue
	$(BIN)/python -m scripts.house

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(VENV)/.installed-peers
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.readme

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -W ignore -m scripts.fuzz

sanitize: $(VENV)/.installed-dev
	$(BIN)/python -m scripts.sanitize

native-check: $(VENV)/.installed-dev
	$(BIN)/python -m scripts.native_check

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
