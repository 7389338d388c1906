# Bare `make` lists the commands. Everything runs in .venv, made by uv from uv.lock; uv itself comes from pip if it is missing.

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python -m
PY     := libs services deploy tests
CONTRACT := tests/contract/test_compatibility.py tests/contract/test_golden.py tests/contract/test_published.py
NORMAL := -m "not alone and not images and not pictures" --ignore tests/deploy $(CONTRACT:%=--ignore %)

.DEFAULT_GOAL := help
.PHONY: help install run check test contract migration pictures chaos bench images clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(VENV)/.installed ## the environment, exactly as uv.lock says

$(VENV)/.installed: uv.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
	@PYTHON=$(PYTHON) sh deploy/local/install.sh
	@touch $@

run: install ## everything on this machine: console, api, workers, NATS, an emulated Telegram (BOT_TOKEN=… for the real one)
	@$(RUN) deploy.local

check: install ## format, lint, strict types, import rules, known vulnerabilities, the contract, what is deployed
	$(RUN) ruff format --check $(PY)
	$(RUN) ruff check $(PY)
	$(RUN) mypy libs services deploy tests
	$(VENV)/bin/lint-imports
	$(RUN) bandit --quiet --recursive --configfile pyproject.toml libs services deploy
	@$(RUN) deploy.vulnerabilities
	$(RUN) pytest -q -m "not images" tests/deploy $(CONTRACT)

# Tests wait for half of their time, so three at once keep two cores busy. The order stays as it is: whole systems first, which
# take long, and thousands of short tests to fill up with.
# What failed beside other tests on a busy machine is tried once more by itself; what fails again fails.
test: check ## everything that must hold, in under 15 minutes
	$(RUN) pytest -n 3 --dist loadscope --no-loadscope-reorder $(NORMAL) || $(RUN) pytest --last-failed --last-failed-no-failures none $(NORMAL)
	$(RUN) pytest -m alone

contract: install ## docs/contract anew from the code: AsyncAPI, JSON Schemas, OpenAPI, the reference page
	@$(RUN) deploy.contract

migration: install ## the next revision of the SQL tables, from what the code says they are (NAME="a column for …")
	@$(RUN) deploy.migration $(NAME)

pictures: install ## every page of the console, light and dark, wide and narrow, into var/pictures
	$(RUN) pytest tests/e2e/console/test_pictures.py

chaos: install ## ten thousand simulated histories, then kills, pauses and lost replies on real processes; writes docs/reliability.md
	$(RUN) tests.simulation --seeds $${SIMULATION_SEEDS:-10000} --record docs/reliability.md
	CHAOS_REPEATS=$${CHAOS_REPEATS:-3} CHAOS_REPORT=docs/reliability.md $(RUN) pytest tests/chaos

bench: install ## the benchmarks, as ratios
	$(RUN) tests.bench

images: install ## tries what each image holds, then builds all three where docker, podman or buildah is (REGISTRY=… TAG=…)
	$(RUN) pytest -m images tests/deploy
	@sh deploy/images/build.sh

clean: ## remove the environment and the local state
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
