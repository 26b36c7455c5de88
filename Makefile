# The short commands, the same here and in CI. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test lint bench soak mutants docs lock env-demo env-dev
BIN := .venv/bin

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: env-demo ## broker, centre and a kiosk in the browser; Ctrl-C ends them all
	@$(BIN)/tokuten demo

demo-reset: env-demo ## the same, from the beginning
	@$(BIN)/tokuten demo --reset

test: ## everything that CI checks (installs Debian and npm packages that are missing)
	@scripts/install_system.sh
	@scripts/install_npm.sh
	@scripts/env.sh dev
	@scripts/check.sh lint tests

lint: env-dev ## style, types, import direction, purity
	@scripts/check.sh lint

bench: env-dev ## the figures, as ratios in one run
	@scripts/install_npm.sh
	@$(BIN)/python -m benchmarks

soak: ## the long tests: kills, power cuts, faults, restores (installs Debian packages that are missing)
	@scripts/install_system.sh soak
	@scripts/env.sh dev
	@$(BIN)/pytest --slow -m slow --timeout 3600

mutants: env-dev ## who finds each planted bug: the world, or a test; goes on where it was ended
	@$(BIN)/python -m scripts.mutate --resume --jobs 2

docs: env-dev ## generate what is generated, build the site into site/
	@$(BIN)/python -m scripts.make_docs
	@$(BIN)/mkdocs build --strict --quiet
	@echo "docs: site/index.html"

lock: ## write requirements/*.txt anew (UPGRADE=1: with the newest versions)
	@python3 -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@UV=.venv-lock/bin/uv scripts/lock.sh $(if $(UPGRADE),--upgrade)

env-demo:
	@scripts/env.sh demo

env-dev:
	@scripts/env.sh dev
