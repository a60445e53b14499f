# Cartwheel's commands. `make` alone explains them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PROGRAMS := ./producer ./consumer ./api ./sparkjobs/train ./sparkjobs/models ./sparkjobs/tune ./scripts/generate ./scripts/dlq ./scripts/erase ./scripts/doctor ./scripts/backup ./scripts/restore

.PHONY: help setup up down status doctor demo test test-unit test-integration test-browser test-faults bench-ingest bench-train bench-workers bench-serve bench-swaps bench-sessions bench-gorse bench bench-report soak lint fmt build sbom readme-check compose-check clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n%s\n' 'Variables (environment or make NAME=value):'
	@printf '  %-23s %s\n' \
	  'DATA_DIR' 'where data lives (default data)' \
	  'API_PORT' 'port of the API that make demo starts (default 8000)' \
	  'RUNTIME_*' 'ports, folders and memory of Kafka and Spark: scripts/runtime help lists them' \
	  'GORSE' 'path of gorse-in-one, for bench-gorse: https://github.com/gorse-io/gorse/releases' \
	  'TEST_PORT_BASE' 'first of the eight ports that make test uses (default 19000)'

setup: ## Fetch what everything else needs: Go modules, Kafka, Spark
	go mod download
	scripts/runtime fetch

up: ## Start Kafka and Spark on this machine, without Docker
	scripts/runtime up

down: ## Stop Kafka, Spark and the demo's API; data stays
	scripts/demo stop
	scripts/runtime down

status: ## What runs, and where (ends non-zero if something does not)
	scripts/runtime status

doctor: ## Look whether everything needed is here, and how what runs is doing; says what to do (DATA_DIR, KAFKA_…, SPARK_REMOTE as usual)
	go run ./scripts/doctor

demo: ## The whole way on this machine: events, Kafka, batch files, training, API; leaves the services up
	scripts/demo

test: ## All tests: unit, then integration against a Kafka and Spark of their own
	scripts/test

test-unit: ## Only what needs nothing but Go
	scripts/test unit

test-integration: ## Only the second half of that
	scripts/test integration

test-browser: ## The dashboard in a headless Chromium, which must be in PATH
	scripts/test browser

test-faults: ## Every fault of producer, consumer, training and API at full length
	scripts/test-faults

bench-ingest: ## Producer and consumer beside Kafka's own tools; writes docs/benchmarks/ingest.md
	scripts/bench-ingest/run

bench-train: ## Trainings of growing size, and the same fit from Go and PySpark; writes docs/benchmarks/train.md
	scripts/bench-train/run

bench-workers: ## The same ALS fit by one Spark worker of one core and by two; writes docs/benchmarks/workers.md
	scripts/bench-train/run workers

bench-serve: ## The API beside a fixed answer, the search, the loading of a large version; writes docs/benchmarks/serve.md
	go run ./scripts/bench-api serve

bench-swaps: ## Requests at 500 a second, steady and while two large versions are the champion by turns; writes docs/benchmarks/swaps.md
	go run ./scripts/bench-api swaps

bench-sessions: ## Sessions and the live history beside a fixed answer; writes docs/benchmarks/sessions.md
	scripts/bench-api/run

bench-gorse: ## The API beside Gorse on the same events (GORSE = path of gorse-in-one); writes docs/benchmarks/gorse.md
	scripts/bench-api/run-gorse

bench: bench-ingest bench-serve bench-swaps bench-sessions $(if $(GORSE),bench-gorse) bench-train bench-workers bench-report ## All of these (bench-gorse if GORSE is set), one after the other, joined into one report

bench-report: ## Join what the benchmarks have written: docs/benchmarks/<date>-<machine>.md, and the table in README.md; measures nothing
	go run ./scripts/bench-report

soak: ## The whole system for 30 minutes, with a broker and a Connect restart; writes docs/benchmarks/soak.md (SOAK="--minutes 3" is shorter)
	go run ./scripts/soak $(SOAK)

lint: ## Formatting, vet, staticcheck; shellcheck where it is installed
	@files=$$(git ls-files -z '*.go' | xargs -0 gofmt -l); [ -z "$$files" ] || { echo "not formatted (make fmt): $$files"; exit 1; }
	go vet ./...
	go vet -tags integration,browser ./...
	go tool staticcheck ./...
	go tool staticcheck -tags integration,browser ./...
	@if command -v shellcheck >/dev/null; then git grep -lE '^#!.*bash|^# shellcheck shell' -- scripts .ci | xargs shellcheck -x; \
	  else echo 'shellcheck is not installed: the shell scripts were not checked'; fi

fmt: ## Format the Go code
	@git ls-files -z '*.go' | xargs -0 gofmt -w

build: ## Build the programs into bin/
	go build -o bin/ $(PROGRAMS)

sbom: build ## What is in the programs of the image, with licences (CycloneDX), into bin/sbom/
	@mkdir -p bin/sbom
	@for program in producer consumer train api; do \
	  go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -licenses -version "$$(git describe --always --dirty)" \
	    -output bin/sbom/$$program.cdx.json bin/$$program || exit; \
	done
	@ls -l bin/sbom

readme-check: ## The README's commands, as they stand there, in a clean clone
	scripts/readme-check

compose-check: ## The same system on Docker: up, replay, train, ask, down
	scripts/compose-check

clean: ## Remove what builds and tests made; data and what runs stay
	rm -rf bin .test
