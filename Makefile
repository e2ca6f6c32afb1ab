# fedns: everything a developer runs. Needs python3 (>= 3.11) and make; the rest is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# What the optional compiled core is made of; without a C compiler fedns is installed without it.
CORE := $(addprefix fedns/servers/,core.py _core.pxd gate.py _gate.pxd octets.pxd) fedns/proxy/swift.py fedns/proxy/_swift.pxd
# How much `make fuzz` tries.
PACKETS ?= 200000
DOCUMENTS ?= 5000
MESSAGES ?= 100000
# What `make bench-dns` measures: names from `tests/bench/scenarios.py`, all where there is none; QUICK=1 for a look.
SCENARIO ?=
QUICK ?=
# What `make bench-gateway` measures: names that `tests/bench/bench_gateway.py --help` lists.
LINE ?=
# How many random questions and requests `make conformance` asks of us and of the peers, and which.
QUESTIONS ?= 12000
SEED ?= 1
REQUESTS ?= 300
# How many test modules run beside each other; each job may start API servers of its own.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup core run test check fmt golden scenario kills conformance envtest fuzz bench bench-dns bench-walk peers helm bench-converge bench-scale bench-fleet bench-distribute bench-plan bench-flood bench-inside bench-decide bench-gateway bench-failover clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Create .venv and install the locked dependencies

$(READY): pyproject.toml constraints.txt setup.py $(CORE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fedns needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

core: setup  ## Compile the core again, and say why where that fails
	$(BIN)/python setup.py build_ext --inplace
	$(BIN)/python -c "from fedns.proxy import _swift; from fedns.servers import _core, _gate"

run: setup  ## Start the demo fleet on loopback
	$(BIN)/fedns demo start

test: setup  ## All tests: units, properties, goldens, laws, scenarios, conformance
	@$(BIN)/python -m tests.envtest.binaries >/dev/null || echo "tests that want real API servers are skipped"
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not alone"
	$(BIN)/python -m pytest -m alone

check: setup  ## Lint, format, types, import contracts, laws, documented examples
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/laws

fmt: setup  ## Format, and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: setup  ## Rewrite the golden files; review the diff
	FEDNS_GOLDEN=rewrite $(BIN)/python -m pytest tests/golden

scenario: setup  ## Scenarios: real processes on loopback
	$(BIN)/python -m pytest tests/scenarios

kills: setup  ## fedns killed 100 times while it brings copies (KILLS=n, SEED=n); writers killed, frozen, cut off
	FEDNS_KILLS=$(or $(KILLS),100) FEDNS_SEED=$(SEED) $(BIN)/python -m pytest -s tests/scenarios/test_kills.py tests/scenarios/test_leaders.py tests/scenarios/test_troubles.py --timeout 3600

conformance: setup  ## Vectors, RFC tables and peers
	FEDNS_QUESTIONS=$(QUESTIONS) FEDNS_REQUESTS=$(REQUESTS) FEDNS_SEED=$(SEED) $(BIN)/python -m pytest tests/conformance

envtest: setup  ## Build kube-apiserver, etcd and kubectl, once, for the tests that want the real ones
	$(BIN)/python -m tests.envtest.binaries

fuzz: setup  ## Bounded fuzzing of packets, manifests, zone files, configuration, HTTP
	$(BIN)/python tests/fuzz/fuzz_packets.py $(PACKETS)
	$(BIN)/python tests/fuzz/fuzz_documents.py $(DOCUMENTS)
	$(BIN)/python tests/fuzz/fuzz_requests.py $(MESSAGES)
	$(BIN)/python tests/fuzz/fuzz_answers.py $(MESSAGES)

bench: bench-dns bench-walk bench-gateway bench-converge bench-scale bench-fleet bench-distribute bench-plan bench-flood  ## Every benchmark

bench-dns: setup peers  ## Answers per CPU-second beside Knot, NSD, BIND, gdnsd, CoreDNS; SCENARIO="mix tcp", QUICK=1
	$(BIN)/python tests/bench/bench_dns.py $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(QUICK),--quick)

bench-walk: setup peers  ## Walks of a pod's search path per CPU-second beside CoreDNS, with and without autopath; QUICK=1
	$(BIN)/python tests/bench/bench_walk.py $(if $(QUICK),--quick)

peers: .peers/coredns  ## Build CoreDNS into .peers for benchmark and tests, if there is a Go compiler

.peers/coredns: tests/bench/coredns/main.go tests/bench/coredns/go.mod
	@cd tests/bench/coredns && go build -o ../../../.peers/coredns . || echo "without CoreDNS"

helm: .peers/helm  ## Build helm into .peers for the tests of the chart; needs a Go compiler

HELM := helm.sh/helm/v3
# As helm's own build has it: the Kubernetes that it renders for is the one of `client-go` in its go.mod.
HELM_FLAGS := -s -w $(foreach at,pkg/chartutil pkg/lint/rules,-X $(HELM)/$(at).k8sVersionMinor=37)

.peers/helm: tests/deploy/helm/go.mod
	cd tests/deploy/helm && CGO_ENABLED=0 go build -p 2 -trimpath -ldflags '$(HELM_FLAGS)' -o ../../../.peers/helm $(HELM)/cmd/helm

bench-converge: setup  ## One change on disk -> the changed answer on the wire
	$(BIN)/python tests/bench/bench_converge.py

bench-scale: setup  ## Cold start, memory and cost per change at 20 members x 10,000 services
	$(BIN)/python tests/bench/bench_scale.py

bench-fleet: setup  ## First sync, memory and events of 10, 30 and 100 API servers x 10,000 services; QUICK=1 for 1,000
	$(BIN)/python tests/bench/bench_fleet.py $(if $(QUICK),--services 1000 --seconds 10)

bench-distribute: setup  ## 1,000 objects brought to 50 API servers: at first, after a change, and when idle; QUICK=1
	$(BIN)/python tests/bench/bench_distribute.py $(if $(QUICK),--quick) $(if $(DIRECTORY),--directory) $(if $(BESIDE),--beside)

bench-plan: setup  ## What `fedns plan` costs for 1,000 objects in 50 members: nothing there, all there, one changed; QUICK=1
	$(BIN)/python tests/bench/bench_plan.py $(if $(QUICK),--quick)

bench-inside: setup  ## The cluster domain of 20 members x 10,000 services: its table, a change, hits and misses
	$(BIN)/python tests/bench/bench_inside.py

bench-decide: setup  ## Microseconds for a decision of the gateway's core, and for its routes
	$(BIN)/python tests/bench/bench_decide.py

bench-gateway: setup  ## Requests per CPU-second beside Envoy, HAProxy, nginx, Caddy, aiohttp; LINE="get tls", QUICK=1
	$(BIN)/python tests/bench/bench_gateway.py $(if $(LINE),--line $(LINE)) $(if $(QUICK),--quick)

bench-failover: setup  ## What clients lose when members are drained, die, hang or change, at 2,000 requests/s
	$(BIN)/python tests/bench/bench_failover.py

bench-flood: setup  ## Who gets answers while one network floods the server; octets out per octet in
	$(BIN)/python tests/bench/bench_flood.py
	$(BIN)/python tests/bench/bench_amplification.py

clean:  ## Remove what setup and the tests made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
