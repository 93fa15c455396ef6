# Every command works on a bare checkout: Python 3.11 or newer, make and a network to PyPI.
# The first one makes .venv; nothing is installed outside of this folder.

# The first of these that runs and is new enough makes .venv: `make up PYTHON=/path/to/python3.12`.
PYTHON = python3.13 python3.12 python3.11 python3
PY = .venv/bin/python
LOCKED = requirements-producer.txt requirements-consumer.txt requirements-dev.txt

# The servers of `make test-services`; each test makes and drops databases and queues of its own.
DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
BROKER_URL ?= amqp://guest:guest@127.0.0.1:5672//

.PHONY: help up demo test test-services e2e-compose \
	check check-lint check-compose check-prometheus check-producer check-consumer \
	fuzz fuzz-producer fuzz-consumer audit faults bench profile openapi postman browser format lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

up: .venv/ready ## Start both services and their workers here; Ctrl-C stops all
	@$(PY) -m e2e.up

demo: .venv/ready ## Follow one real order to `confirmed`, on free ports, then stop
	@$(PY) -m e2e.demo

# A test sees what is given here and nothing of the shell's environment: no setting, no secret.
HERMETIC = env -i PATH="$$PATH" HOME="$$HOME"
# The arguments: the environment of the producer's tests, the consumer's and the crossing ones.
define run_tests
$(PY) -m coverage erase
$(HERMETIC) $(1) $(PY) -m coverage run producer/manage.py test chassis --noinput
$(HERMETIC) $(1) $(PY) -m coverage run producer/manage.py test --noinput
$(HERMETIC) $(2) $(PY) -m coverage run consumer/manage.py test --noinput
$(HERMETIC) $(3) $(PY) -m unittest discover -t . -s e2e
$(PY) -m coverage combine --quiet
$(PY) -m coverage report
endef

test: .venv/ready ## Test both services, and them together; no server is needed
	$(call run_tests)

# Up to the last slash of DATABASE_URL is the server: each service has a database of its own there.
SERVER = $(dir $(DATABASE_URL))
test-services: .venv/ready ## The same on PostgreSQL and RabbitMQ, at DATABASE_URL and BROKER_URL
	$(call run_tests,\
		DATABASE_URL='$(SERVER)producer' TEST_BROKER_URL='$(BROKER_URL)',\
		DATABASE_URL='$(SERVER)consumer' TEST_BROKER_URL='$(BROKER_URL)',\
		E2E_DATABASE_URL='$(DATABASE_URL)' E2E_BROKER_URL='$(BROKER_URL)')

e2e-compose: .venv/ready ## Run the containers, restart their servers under load; COMPOSE="docker compose"
	@$(PY) -m e2e.compose_tests

# A production environment whose secrets are made anew for each command and kept nowhere.
RANDOM = "$$(head -c 48 /dev/urandom | base64)"
PRODUCTION = $(HERMETIC) DATABASE_URL=sqlite://:memory: ALLOWED_HOSTS=shop.example SECRET_KEY=$(RANDOM) \
	SERVICE_API_KEY=$(RANDOM) PRODUCER_API_KEY=$(RANDOM) CONSUMER_API_KEY=$(RANDOM) \
	WEBHOOK_SIGNING_SECRETS=whsec_$(RANDOM)
MYPY = $(PRODUCTION) MYPYPATH=..:. ../$(PY) -m mypy --config-file ../pyproject.toml --explicit-package-bases

check: check-lint check-compose check-prometheus check-producer check-consumer ## Lint, types, complete migrations, and a production's settings

check-lint: .venv/ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	bash -n .ci/run

# The containers' files, as every client that is installed reads them.
check-compose:
	@for compose in docker-compose "docker compose"; do \
		$$compose version >/dev/null 2>&1 || continue; \
		echo "$$compose: the containers, to try out and in production"; \
		$$compose config --quiet && \
			SECRETS_DIR=/secrets PRODUCER_HOSTS=a.example CONSUMER_HOSTS=b.example TRUSTED_PROXIES=1 \
			$$compose -f docker-compose.yml -f docker-compose.production.yml config --quiet || exit; \
	done

# The alert rules, their tests, and what each service shows at /metrics, as Prometheus reads them.
check-prometheus: .venv/ready
	@if ! command -v promtool >/dev/null; then \
		echo "metrics and alert rules are not checked: promtool is not installed"; exit; fi; \
	cd docs/prometheus && promtool check config --syntax-only prometheus.yml && \
		promtool check rules alerts.yml && promtool test rules alerts_test.yml && cd ../.. && \
	for service in producer consumer; do echo "$$service: metrics"; \
		metrics=$$($(PRODUCTION) $(PY) $$service/manage.py shell --no-imports <e2e/show_metrics.py) && \
		echo "$$metrics" | promtool check metrics || exit; done

# Each service by itself, since both have a package `config`; what crosses them goes with the producer.
ACROSS_producer = ../e2e $(if $(wildcard bench/*.py),../bench)
check-producer check-consumer: check-%: .venv/ready
	@echo "$*: migrations, settings, types"
	@$(PRODUCTION) $(PY) $*/manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(PY) $*/manage.py check --deploy --fail-level WARNING
	@$(PRODUCTION) $(PY) $*/manage.py spectacular --validate --fail-on-warn \
		| diff docs/openapi/$*.yaml - || { echo "docs/openapi/$*.yaml is not what the code says: make openapi" >&2; exit 1; }
	@cd $* && $(MYPY) . ../chassis $(ACROSS_$*)

openapi: .venv/ready ## Write docs/openapi/, the documents of both APIs, from the code
	@for service in producer consumer; do \
		$(PRODUCTION) $(PY) $$service/manage.py spectacular --validate --fail-on-warn \
			--file ../docs/openapi/$$service.yaml || exit 1; done

postman: .venv/ready ## Run the Postman collection against both services, with newman (needs Node.js)
	@$(PY) -m e2e.postman

browser: .venv/ready ## See the pages in a headless Chromium; SCREENSHOTS=FOLDER keeps pictures
	@$(PY) -m e2e.browser_tests

fuzz: .venv/ready ## Throw 10,000 random bodies at each endpoint
	@$(MAKE) --no-print-directory --jobs 2 --output-sync fuzz-producer fuzz-consumer

FUZZ_producer = orders.tests.test_fuzz users.tests.test_fuzz
FUZZ_consumer = messaging.tests.test_fuzz
fuzz-producer fuzz-consumer: fuzz-%: .venv/ready
	@$(HERMETIC) FUZZ_BODIES=10000 $(PY) $*/manage.py test $(FUZZ_$*) --noinput

audit: .venv/ready ## Look the locked packages up among the known vulnerabilities
	@$(PY) -m e2e.audit

faults: .venv/ready ## Kill, freeze and starve each part in turn, and see every order confirmed
	$(PY) -m e2e.faults $(ROW)

bench: .venv/ready ## Measure the project: orders a second, latencies, CPU an order; draws a plot
	$(PY) -m bench

CALL = order
profile: .venv/ready ## See where a call's CPU goes; CALL=order, dispatch, webhook, send, task or delivery
	@$(PY) -m bench.profile $(CALL)

format: .venv/ready ## Format the code and sort its imports
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(UPGRADE)
lock: .venv/bin/python ## Lock the requirements from the .in files; newer ones with UPGRADE=--upgrade
	$(PY) -m pip install --quiet uv==0.13.9
	$(COMPILE) requirements-producer.in -o requirements-producer.txt
	$(COMPILE) requirements-consumer.in -o requirements-consumer.txt -c requirements-producer.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt \
		-c requirements-producer.txt -c requirements-consumer.txt

clean: ## Remove all that was made here: .venv, caches, and the local databases in var/
	rm -rf .venv var .mypy_cache .ruff_cache htmlcov .coverage .coverage.* */.mypy_cache */staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment has both services' packages and the tools; it is brought up to date when these change.
.venv/ready: $(LOCKED) | .venv/bin/python
	@echo "Installing the locked packages into .venv ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes $(addprefix -r ,$(LOCKED)) || { \
		echo "The packages could not be installed, see above. Is PyPI reachable? If .venv is broken, remove it." >&2; \
		exit 1; }
	@touch $@

# A name alone proves nothing: shims of version managers exist without the Python they stand for.
.venv/bin/python:
	@for python in $(PYTHON); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		if ! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
			problem="$${problem:-$$python is $$version. Install a newer one}"; \
		elif ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
			problem="$${problem:-$$python lacks its venv module. On Debian: apt install python$$version-venv}"; \
		else \
			exec $$python -m venv --clear .venv; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed: $${problem:-none was found. Install it}, or name one: make PYTHON=/path/to/python3" >&2; \
	exit 1
