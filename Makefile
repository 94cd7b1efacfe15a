# Everything a person types is here; the work is done in tools/setup.sh and bin/authbench.
SHELL := bash
.SHELLFLAGS := -p -eu -o pipefail -c # -p: no BASH_ENV, no functions of the environment
.DEFAULT_GOAL := help
.NOTPARALLEL:
include tools/environment
# What programs would read besides, those that tests start included.
unexport $(filter PG% K6_% REDIS% AUTHBENCH_% GIT_%,$(.VARIABLES)) LD_PRELOAD

# Tools built here come first; Debian keeps servers in sbin, which not every user's PATH has.
export PATH := $(CURDIR)/bin:$(PATH):/usr/local/go/bin:/usr/sbin:/sbin

PROFILE ?= standard
FUZZTIME ?= 10s
# Of this checkout alone: unpacked within another one, or with that one's GIT_DIR, it has none.
COMMIT := $(shell unset $$(env | sed -n 's/^\(GIT_[A-Z_]*\)=.*/\1/p'); [ "$$(git rev-parse --show-toplevel 2>/dev/null)" -ef . ] && \
	git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-X main.commit=$(COMMIT)'

# Those whose tests take longest come first, so that none is left for the end. Two at a time, each of which runs some of its tests side by side.
LONGEST := authbench/bench authbench/servers authbench/bench/stack authbench/bench/e2e authbench/bench/fault
GOTEST := CGO_ENABLED=1 gotestsum --format standard-quiet
GOTESTFLAGS := -race -count=1 -timeout 25m -exec 'testlimit 10m'

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: tools-$(if $(filter compose,$(RUNTIME)),compose,run) build ## install what a run needs (says what first) and build everything into bin/

.PHONY: bench
bench: profile setup ## measure and report into results/: PROFILE=smoke|standard|full RUNTIME=native|compose CLAIMS=C10,C23
	bin/authbench run --profile $(PROFILE) $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(CLAIMS),--claim "$(CLAIMS)")

.PHONY: test
test: tools-test build vet ## every test, with the race detector, against real nginx, Redis and PostgreSQL
	@status=0; \
	$(GOTEST) --jsonfile bin/.tests.json -- $(GOTESTFLAGS) -p 2 $(LONGEST) ./... || status=1; \
	awk '/"Action":"skip"/ && /"Test":/ {n++} END {print n + 0, "tests were skipped" (n ? ", for the reasons given above" : "")}' bin/.tests.json; \
	exit $$status

.PHONY: test-quick
test-quick: build ## the tests that start nothing but bin/authbench, without the race detector: while you change a line
	@go test -short -timeout 5m -v ./... 2>&1 | awk ' \
		/^ *--- SKIP/ {skipped++} \
		/^=== / || /^ *--- (PASS|SKIP)/ || /^(PASS|FAIL)$$/ {next} \
		/^ok / || /no test files/ {print; said = ""; next} \
		{said = said $$0 "\n"} \
		/^FAIL\t/ {printf "%s", said; said = ""} \
		END {printf "%s%d tests were skipped, which start servers, containers, k6 or a browser: make test\n", said, skipped}'

.PHONY: up
up: setup ## start replicas, nginx and stores and leave them running for a look by hand
	bin/authbench up $(if $(RUNTIME),--runtime $(RUNTIME))

.PHONY: compare
compare: named-A named-B tools-compare build ## compare two runs: make compare A=results/one B=results/two FLAGS=--all
	bin/authbench compare "$(A)" "$(B)" $(FLAGS)

.PHONY: report
report: named-RUN build ## make charts and report of a run anew: make report RUN=results/one
	bin/authbench report "$(RUN)"

.PHONY: bench-load
bench-load: tools-load build ## compare our load driver with wrk, vegeta and k6 on one target
	bin/authbench bench-load

.PHONY: doctor
doctor: build ## say what this machine can measure, and what it lacks
	bin/authbench doctor

.PHONY: vet
vet: ## go vet over everything
	go vet ./...

.PHONY: lint
lint: tools-lint ## golangci-lint by .golangci.yml; the first time it builds the linter, for minutes
	golangci-lint run ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	@go test -list '^Fuzz' ./... | \
	awk '/^Fuzz/ {name[++n] = $$1} /^ok/ {for (i = 1; i <= n; i++) print $$2, name[i]; n = 0}' | \
	while read -r package name; do \
		echo "$$name in $$package"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
	done

.PHONY: mutants
mutants: tools-test ## apply each kept defect to a copy and see that the tests catch it (long)
	servers/mutants/run.sh

.PHONY: bench-peers
bench-peers: tools-test ## compare our token and session code with public libraries, as Go benchmarks
	go -C bench/micro/peers test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## remove bin/; results/ stays as it is
	rm -rf bin

.PHONY: build
build:
	@$(GOBUILD) -o bin/server ./servers
	@$(GOBUILD) -o bin/authbench ./bench
	@$(GOBUILD) -o bin/testlimit ./bench/testlimit
	@CGO_ENABLED=0 go test -c -trimpath -buildvcs=false -o bin/micro.test ./bench/micro

# named-RUN fails early where the folder of a run is asked for, but RUN=results/... is not given.
named-%:
	@[[ -d "$($*)" ]] || { echo "name the folder of a run: $*=results/... (given: '$($*)'); results/ has: $$(ls results 2>&1 | xargs)" >&2; exit 2; }

.PHONY: tools-lint tools-compare tools-compose tools-run tools-load tools-test
tools-lint tools-compare tools-compose tools-run tools-load tools-test:
	@tools/setup.sh $(@:tools-%=%)

.PHONY: profile
profile:
	@case '$(PROFILE)' in smoke|standard|full) ;; \
	*) echo "there is no profile '$(PROFILE)'; choose smoke, standard or full" >&2; exit 2 ;; esac
