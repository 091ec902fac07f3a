# The only front door. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
PORT ?=
ARGS ?=
T ?=
ARGS ?=

# make itself exits with 2 whatever a command's status was. In question mode it passes 1 and 2 on as they are, and runs
# the lines marked + all the same: so `make run` ends with the status that `cro analyze` gave.
ifneq ($(filter run,$(MAKECMDGOALS)),)
MAKEFLAGS += -q
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up ------------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/.dev-ready ## Install everything that running, testing and checking need

.venv/.run-ready: requirements.txt .make/setup .make/uv.txt
	+@.make/setup run
	+@touch $@

.venv/.dev-ready: requirements-dev.txt .make/setup .make/uv.txt
	@.make/setup dev
	@touch $@ .venv/.run-ready

# --- use ---------------------------------------------------------------------------------------------------------------

.PHONY: run serve renderer egress fake-claude
run: .venv/.run-ready ## Analyse one page: make run URL=https://… [JSON=file] [HTML=file]
	+@$(BIN)/cro analyze "$(URL)" $(if $(JSON),--json "$(JSON)") $(if $(HTML),--html "$(HTML)")

serve: .venv/.run-ready ## The whole platform on this machine: make serve [PORT=8000]
	@exec $(BIN)/cro serve $(if $(PORT),--port $(PORT))

renderer: .venv/.run-ready ## The renderer service alone: make renderer [PORT=9000]
	@exec env $(if $(PORT),PORT=$(PORT)) $(BIN)/python -m renderer

fake-claude: .venv/.run-ready ## A local fake of the Messages API: make fake-claude [PORT=9200] [ARGS="--latency 5"]
	@exec $(BIN)/python -m analyzer.fakeclaude $(if $(PORT),--port $(PORT)) $(ARGS)

egress: .venv/.run-ready ## The egress proxy alone: make egress [PORT=9300]
	@exec env $(if $(PORT),PORT=$(PORT)) $(BIN)/python -m renderer egress

# --- checks ------------------------------------------------------------------------------------------------------------

.PHONY: test lint type format check
test: setup ## Run all tests: make test [T=path or -k expression] [JOBS=3]
	@$(BIN)/python -m pytest -n $(or $(JOBS),3) --dist loadfile $(T)

lint: setup ## Style, import contracts, formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

type: setup ## Static types, strict
	@for part in packages/* services/* sdk "tests conftest.py"; do echo "mypy $$part"; $(BIN)/mypy $$part || exit 1; done

format: setup ## Rewrite the files as `make lint` wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check: lint type test ## Everything that CI runs

# --- measurements ------------------------------------------------------------------------------------------------------

.PHONY: bench bench-full bench-batches
bench-full: setup ## Every figure of docs/benchmarks.md at full size, two hours
	@$(BIN)/python -m tests.bench --full
	@$(BIN)/python -m tests.load burst 60
	@$(BIN)/python -m tests.load hostile 3
	@$(BIN)/python -m tests.load soak 5000

bench-batches: setup ## Batches of 10,000 URLs on every profile, half an hour: make bench-batches [ARGS="--profile postgres"]
	@$(BIN)/python -m tests.bench.batches --long $(ARGS)

bench: setup ## Speed against the baselines, side by side in one run
	@$(BIN)/python -m tests.bench

.PHONY: eval
eval: setup ## How good the rules are (and Claude): make eval [ARGS="--ai-budget 1"]
	@PYTHONPATH=. $(BIN)/python -m evals $(ARGS)

.PHONY: fuzz-api
fuzz-api: setup ## Requests made up from the API's description, answers held to it: make fuzz-api [N=600 seconds]
	@$(BIN)/python -m tests.fuzz_api $(or $(N),600) $(ARGS)

.PHONY: soak burst hostile kills breaker
kills: setup ## Workers, renderer and Redis killed during a batch: make kills [N=10000]
	@KILL_URLS=$(or $(N),10000) $(BIN)/python -m pytest tests/faults/test_batch_kill.py

soak: setup ## Thousands of renders, nothing may grow: make soak [N=5000]
	@$(BIN)/python -m tests.load soak $(or $(N),5000)

burst: setup ## 200 clients at once: make burst [N=60 seconds]
	@$(BIN)/python -m tests.load burst $(or $(N),60)

hostile: setup ## Pages that mean harm beside good ones: make hostile [N=3 rounds]
	@$(BIN)/python -m tests.load hostile $(or $(N),3)

breaker: setup ## 100 users on the cluster profile, a process killed every 20 s: make breaker [N=30 minutes]
	@$(BIN)/python -m tests.load breaker $(or $(N),30)

# --- maintenance -------------------------------------------------------------------------------------------------------

.PHONY: lock generate vendor clean
EXPORT = $(BIN)/uv export -q --frozen --no-emit-workspace --no-header --no-annotate
lock: setup ## Renew the locked requirements after a change of dependencies
	@$(BIN)/uv lock -q
	@$(EXPORT) --all-packages --no-dev -o requirements.txt
	@$(EXPORT) --all-packages --all-groups -o requirements-dev.txt
	@$(EXPORT) --package cro-gateway --no-dev -o services/gateway/requirements.txt
	@$(EXPORT) --package cro-renderer --no-dev -o services/renderer/requirements.txt
	@$(EXPORT) --package cro-analyzer-service --no-dev -o services/analyzer/requirements.txt

generate: setup ## Write the generated docs anew (openapi, rules, errors)
	@$(BIN)/python -m tests.generate

vendor: setup ## Fetch axe-core and web-vitals at their pinned versions and check them
	@$(BIN)/python -m tests.vendor

clean: ## Remove the environment and all caches, keep data
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
