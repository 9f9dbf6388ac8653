# Every target first makes .venv ready: in an instant once it is there.
PYTHON ?= python3
BIN := .venv/bin
# Many tests wait for leases, outages and restarts: more processes than processors pay.
TEST_PROCESSES ?= 4
SOURCES := gateway processor shared deploy tests

# A bare `make` explains; it starts nothing.
.DEFAULT_GOAL := help
.PHONY: help environment run page operate dead-letters keys test check check-deploy check-overlay audit contract format docs lock bench-bundle bench-environment bench-store bench-jobs bench-streams bench-api bench-10k chaos clean s3-server kustomize readers web mutants

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

environment:
	@command -v $(PYTHON) >/dev/null || { echo "waybill: $(PYTHON) was not found. Install Python 3.11 or newer, for example: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) deploy/local/bootstrap.py

# make itself puts the variables of `make run PORT=…` into the environment.
run: environment ## Start everything on this machine (PORT=8080 ADMIN_PORT=9090, and the next one for the processor; WAYBILL_HOME=.waybill RATE=<MB/s>)
	@exec $(BIN)/python -m deploy.local

page: environment ## Build the page of gateway/web, if it has changed (Node.js of this machine, else from PyPI)
	@$(BIN)/python -m deploy.local.page

operate: environment ## Look at the `make run` that is up (ARGS='backlog', 'jobs show <id>', 'doctor --repair')
	@exec $(BIN)/python -m deploy.local $(or $(ARGS),backlog)

dead-letters: environment ## Look after the failed jobs of the `make run` that is up (ARGS='list', ARGS='redrive --all --yes')
	@exec $(BIN)/python -m deploy.local dead-letters $(ARGS)

keys: environment ## Look after the API keys of the `make run` that is up (ARGS='create --owner anna', 'revoke <id>')
	@exec $(BIN)/python -m deploy.local keys $(or $(ARGS),list)

test: environment ## Run the tests (ARGS='-k name' to choose, TEST_PROCESSES=0 for one process)
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(ARGS)

check: environment ## Everything a reviewer asks for: format, lint, types, imports, audit, the client, tests (dead code among them)
	@echo "== format" && $(BIN)/ruff format --quiet --check --output-format concise $(SOURCES) || { echo "Run: make format" >&2; exit 1; }
	@echo "== lint" && $(BIN)/ruff check --quiet --output-format concise $(SOURCES)
	@echo "== types" && $(BIN)/mypy
	@echo "== imports" && $(BIN)/lint-imports --no-cache --no-logo
	@echo "== audit" && $(BIN)/python -m tests.audit
	@if command -v npm >/dev/null; then echo "== web" && $(MAKE) --no-print-directory web; \
	elif [ -n "$$WAYBILL_REQUIRE_TOOLS" ]; then echo "== web: npm is not installed" >&2; exit 1; \
	else echo "== web: skipped, npm is not installed"; fi
	@echo "== tests" && $(MAKE) --no-print-directory test

check-deploy: environment ## Check everything in deploy/: manifests, rules, proxies, Terraform, images (ARGS='-k k8s')
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile tests/deploy $(ARGS)

# kustomize writes all of an overlay or nothing: what it has against it stands above the last line.
check-overlay: environment ## Look for what is shipped and still in place in your overlay, and whether KEDA asks its Redis (OVERLAY=deploy/k8s/overlays/ours FILES=users.acl)
	@kubectl kustomize $(OVERLAY) | $(BIN)/python -m deploy.overlay $(FILES)

audit: environment ## Look for known vulnerabilities in requirements.lock; says so where no source of advisories answers
	@$(BIN)/python -m tests.audit

contract: environment ## Ask a live gateway whatever its OpenAPI document allows and forbids (SEED=7)
	@$(BIN)/python -m pytest tests/contract $(ARGS)

mutants: environment ## Take each guard away once and see its tests fail (ARGS='--sample 20 --seed 7', '--only fence')
	@$(BIN)/python -m tests.mutants $(ARGS)

format: environment ## Rewrite the code in the house's format, with the safe lint fixes
	@$(BIN)/ruff check --quiet --fix-only $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

docs: environment ## Write docs/settings.md, docs/api.md and the PrometheusRule of deploy/k8s from what they say
	@$(BIN)/python -c 'from shared.settings_manual import reference_page; print(reference_page(), end="")' > docs/settings.md.new
	@mv docs/settings.md.new docs/settings.md
	@$(BIN)/python -c 'from gateway.contract.reference import reference_page; print(reference_page(), end="")' > docs/api.md.new
	@mv docs/api.md.new docs/api.md
	@$(BIN)/python -m deploy.prometheus_rule > deploy/k8s/components/monitoring/prometheus-rule.yaml.new
	@mv deploy/k8s/components/monitoring/prometheus-rule.yaml.new deploy/k8s/components/monitoring/prometheus-rule.yaml

lock: environment ## Write requirements.lock from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(BIN)/uv pip compile pyproject.toml --extra gateway --extra processor --extra client --extra s3 --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--quiet $(if $(UPGRADE),--upgrade) --output-file requirements.lock
	@$(BIN)/uv pip compile --group pyproject.toml:node --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--quiet $(if $(UPGRADE),--upgrade) --output-file requirements-node.lock

s3-server: environment ## Build the S3 server of the tests into .tools/ where there is none (needs Go; about two minutes)
	@$(BIN)/python -m tests.support.s3_server

kustomize: environment ## Build the kustomize of the tests into .tools/ where no new enough kubectl is there (needs Go; a minute)
	@$(BIN)/python -m tests.support.kustomize

# No scripts of the packages are run: they are read, nothing is built.
readers: ## Install the npm packages by which the tests read streams into tests/readers/ (needs Node.js 20.18 or newer)
	@npm ci --engine-strict --prefix tests/readers --ignore-scripts --no-audit --no-fund --silent

# npm ci only where the lock is newer than what is installed: the rest takes ten seconds.
web: ## Check, test and build the TypeScript client and hooks in gateway/web (needs Node.js 20.19 or newer)
	@cmp -s gateway/web/package-lock.json gateway/web/node_modules/.waybill-lock || { \
		npm ci --prefix gateway/web --ignore-scripts --no-audit --no-fund --silent && \
		cp gateway/web/package-lock.json gateway/web/node_modules/.waybill-lock; }
	@npm run --prefix gateway/web --silent types
	@npm run --prefix gateway/web --silent build -- --logLevel warn
	@npm run --prefix gateway/web --silent test

bench-bundle: environment ## Measure bundles beside zip, a plain copy, zipstream-ng (ARGS='--store s3', small, small-s3)
	@$(BIN)/python -m tests.load.bench_bundle $(ARGS)

bench-store: environment ## Measure the job store's operations
	@$(BIN)/python -m tests.load.bench_store $(ARGS)

bench-environment: environment ## Install what the benchmarks compare with into .venv-bench
	@$(BIN)/uv venv --quiet --allow-existing .venv-bench
	@VIRTUAL_ENV=.venv-bench $(BIN)/uv pip install --quiet --requirement tests/load/contenders.txt

bench-jobs: environment ## Measure the engine with jobs that do nothing (ARGS='--jobs 30000 --contenders')
	@$(BIN)/python -m tests.load.bench_jobs $(ARGS)

bench-api: environment ## Measure creates and polls of one gateway, with and without authentication and limits (ARGS='--rounds 1 --seconds 2')
	@$(BIN)/python -m tests.load.bench_api $(ARGS)

bench-streams: environment ## Measure streams with 10,000 viewers (ARGS='--viewers 500 --rate 1000 --seconds 2', '--parts contenders')
	@$(BIN)/python -m tests.load.bench_streams $(ARGS)

bench-10k: environment ## Let 10,000 downloads be created, queued, run and watched at once (ARGS='--jobs 500 --processors 2')
	@$(BIN)/python -m tests.load.bench_10k $(ARGS)

# make itself puts SEED, MINUTES and PARTITIONS into the environment.
chaos: environment ## Kill, freeze and cut off real processes, and check what is left (SEED=<number> MINUTES=5 PARTITIONS=1)
	@$(BIN)/python -m tests.chaos

clean: ## Remove .venv and the tools' caches; .waybill with its data stays
	@rm -rf .venv .venv.lock .venv-bench tests/readers/node_modules gateway/web/node_modules gateway/web/dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +
