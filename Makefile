# Everything that is built or downloaded goes under target/ (or CARGO_TARGET_DIR). The system's PostgreSQL is called
# "pg15" here; where apt has another major, scripts/setup says so and that major is built under the same name.
TARGET := $(or $(CARGO_TARGET_DIR),target)
VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
PG15_CONFIG = $(shell scripts/setup system-pg-config)
PG18_CONFIG = $(shell scripts/setup wheel-pg-config)
PG15_FEATURE = pg$(patsubst /usr/lib/postgresql/%/bin/pg_config,%,$(PG15_CONFIG))
PG18_FEATURE = pg18

# cargo_pg(15|18, subcommand): each major has a target directory of its own, so that neither rebuilds the other.
cargo_pg = PGRX_PG_CONFIG_PATH="$(abspath $(PG$(1)_CONFIG))" CARGO_TARGET_DIR="$(TARGET)/build-pg$(1)" cargo $(2) -p cotaste --no-default-features
cargo_tests = CARGO_TARGET_DIR="$(TARGET)/tests" cargo $(1) --manifest-path tests/Cargo.toml
cargo_fuzz = CARGO_TARGET_DIR="$(TARGET)/fuzz" cargo $(1) --manifest-path fuzz/Cargo.toml
cargo_cli = CARGO_TARGET_DIR="$(TARGET)/cli" cargo $(1) --manifest-path cli/Cargo.toml
run_tests = "$(TARGET)/tests/debug/cotaste-tests" $(1) --target "$(TARGET)" --pg15 "$(PG15_CONFIG)" --pg18 "$(PG18_CONFIG)"
# The demo of the dashboards: the seeded catalogue, which has weeks of activity.
bi_demo = { mkdir -p "$(TARGET)/bi" && COTASTE_DATA=synthetic demo/run "$(TARGET)/cotaste0.so" "$(TARGET)/bi/demo.db" > /dev/null; }

# Every target is an action.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' Makefile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build-sqlite ## build the SQLite extension, load a catalogue into demo.db and show the answers
	demo/run "$(TARGET)/cotaste0.so"

test: setup-sqlite setup-postgres setup-cli setup-clients build-sqlite build-cli build-pg15 build-pg18 planted-sqlite planted-pg15 planted-pg18 build-tests ## every test, on two SQLites and two Postgres majors
	$(call run_tests) $(if $(ONLY),--only "$(ONLY)") $(if $(ENGINE),--engine "$(ENGINE)")

# COTASTE_CANCEL_DATA=target/synthetic-100000-20000 cancels over ten million events (the set of make bench-similarity).
soak: setup-sqlite setup-postgres setup-cli build-sqlite build-cli build-pg15 build-pg18 planted-sqlite planted-pg15 planted-pg18 build-tests ## the faults, loads and histories of the tests for hours (COTASTE_SOAK=0.1 for a tenth), with a table of figures
	COTASTE_SOAK=$${COTASTE_SOAK:-1} COTASTE_HISTORIES=$${COTASTE_HISTORIES:-3400} $(call run_tests) $(if $(ONLY),--only "$(ONLY)") $(if $(ENGINE),--engine "$(ENGINE)")

test-cli: setup-sqlite setup-postgres setup-cli build-sqlite build-cli build-pg15 build-tests ## the command-line tool alone (COTASTE_KILLS=20 kills it so often in each case, COTASTE_EVENTS=6000000 streams so many)
	$(call run_tests,cli) $(if $(ONLY),--only "$(ONLY)")

test-scale-out: setup-postgres build-pg15 build-tests ## one node beside 2 and 4 shards: the same answers, splits, kills
	$(call run_tests) --engine pg15 --only "scale out"

fuzz: ## every reader of core against mutated values, 1,000,000 each (EXECUTIONS=100000000 for the long form, ONLY=context, SEED=2)
	$(call cargo_fuzz,build --release)
	"$(TARGET)/fuzz/release/cotaste-fuzz" --executions "$(or $(EXECUTIONS),1000000)" --seed "$(or $(SEED),1)" $(if $(ONLY),--only "$(ONLY)")

histories: setup-sqlite setup-postgres build-sqlite build-pg15 build-pg18 build-tests ## 1,000 random histories an engine (COTASTE_HISTORIES says how many)
	COTASTE_HISTORIES=$${COTASTE_HISTORIES:-1000} $(call run_tests) --only "random histories" $(if $(ENGINE),--engine "$(ENGINE)")

bench: bench-similarity bench-analytics bench-context bench-embeddings bench-experiments bench-recommend bench-cli ## every bench

bench-similarity: build-sqlite build-pg15 build-pg18 build-tests build-kernels build-floor ## similarity, neighbours, fold and recording beside their alternatives
	$(call run_tests,bench similarity) $(if $(ONLY),--only "$(ONLY)") $(if $(ENGINE),--engine "$(ENGINE)")

bench-analytics: build-sqlite build-pg15 build-pg18 build-tests ## metrics of contents and users beside plain aggregates
	$(call run_tests,bench analytics) $(if $(ENGINE),--engine "$(ENGINE)")

bench-context: build-sqlite build-pg15 build-pg18 build-tests ## rows/s of context parsing
	$(call run_tests,bench context) $(if $(ENGINE),--engine "$(ENGINE)")

bench-embeddings: build-sqlite build-pg15 build-pg18 build-tests ## exact cosine search beside pgvector, sqlite-vec and numpy; learning
	$(call run_tests,bench embeddings) $(if $(ENGINE),--engine "$(ENGINE)")

bench-cli: setup-cli build-sqlite build-cli build-pg15 build-tests ## the command-line tool's import, migrate and stream (COTASTE_BENCH_EVENTS says how many are imported)
	$(call run_tests,bench cli) $(if $(ONLY),--only "$(ONLY)")

package: build-sqlite build-pg15 ## every package for this machine, in target/packages
	rm -rf "$(TARGET)/packages" && mkdir -p "$(TARGET)/packages"
	packaging/build "$(TARGET)" "$(PG15_CONFIG)" "$(TARGET)/packages"
	@ls "$(TARGET)/packages"

test-packages: ## install each package into a clean place and run the quick start (after make package)
	packaging/test "$(TARGET)" "$(TARGET)/packages"

extension-update: build-tests ## the update script from FROM to the version at work; freeze FROM's script in released.sha256 then
	"$(TARGET)/tests/debug/cotaste-tests" extension-update "sql/postgres/cotaste--$(FROM).sql" "sql/postgres/cotaste--$(VERSION).sql"

bench-experiments: build-sqlite build-pg15 build-pg18 build-tests ## one experiment of ten million events beside plain SQL and DuckDB
	$(call run_tests,bench experiments) $(if $(ENGINE),--engine "$(ENGINE)")

bench-recommend: build-sqlite build-pg15 build-pg18 build-tests ## quality of recommendations by the public protocol, their latency and memory
	$(call run_tests,bench recommend) $(if $(ONLY),--only "$(ONLY)") $(if $(ENGINE),--engine "$(ENGINE)")

bench-scale-out: build-pg15 build-tests ## rows, bytes and CPU of each query on 1, 2 and 4 shards
	$(call run_tests,bench scale-out)

test-clients: build-sqlite build-pg15 build-tests ## the same questions through every client of both engines
	tests/clients/run "$(TARGET)" "$(PG15_CONFIG)"

docs: build-sqlite build-pg15 build-tests ## write docs/reference.md, and the outputs that README.md and docs/*.md show, anew
	$(call run_tests,docs)

docs-test: build-sqlite build-pg15 build-pg18 build-tests ## run the SQL of README.md and docs/*.md in every engine and compare what it gives
	$(call run_tests) --only documentation $(if $(ENGINE),--engine "$(ENGINE)")

bi-datasette: build-sqlite ## serve the demo (or DATABASE=app.db) in Datasette on 127.0.0.1, with dashboards (PORT=8001)
	@[ -n "$(DATABASE)" ] || [ -e "$(TARGET)/bi/demo.db" ] || $(call bi_demo)
	bi/datasette/run "$(TARGET)" "$(or $(DATABASE),$(TARGET)/bi/demo.db)" $(PORT)

bi-superset: build-sqlite build-cli build-pg15 build-tests ## serve the demo in a throwaway Postgres (or DATABASE_URL) in Superset on 127.0.0.1 (PORT=8088)
	@[ -n "$$DATABASE_URL" ] || [ -e "$(TARGET)/bi/demo.db" ] || $(call bi_demo)
	bi/superset/serve "$(TARGET)" "$(PG15_CONFIG)" "$(TARGET)/bi/demo.db" $(PORT)

test-bi: setup-browser build-sqlite build-cli build-pg15 build-tests ## the dashboards in a browser beside what SQL says (COTASTE_SHOTS=docs/images takes the pictures)
	tests/bi/run "$(TARGET)" "$(PG15_CONFIG)"

fmt: ## format all Rust code
	cargo fmt --all
	cargo fmt --all --manifest-path tests/Cargo.toml
	cargo fmt --manifest-path cli/Cargo.toml
	cargo fmt --manifest-path fuzz/Cargo.toml

lint: setup-sqlite setup-postgres ## formatting and clippy, warnings denied, for every crate and engine
	cargo fmt --all --check
	cargo fmt --all --manifest-path tests/Cargo.toml --check
	cargo fmt --manifest-path cli/Cargo.toml --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy -q -p cotaste-core --all-targets -- -D warnings
	cargo clippy -q -p cotaste-sqlite --features loadable,planted -- -D warnings
	$(call cargo_pg,15,clippy -q) --features $(PG15_FEATURE),planted -- -D warnings
	$(call cargo_pg,18,clippy -q) --features $(PG18_FEATURE),planted -- -D warnings
	$(call cargo_cli,clippy -q --release) -- -D warnings
	$(call cargo_fuzz,clippy -q --release) -- -D warnings
	$(call cargo_tests,clippy -q) --workspace --all-targets -- -D warnings

build-sqlite: setup-sqlite ## target/cotaste0.so
	cargo build --release -p cotaste-sqlite --features loadable
	@# Renamed into place: overwriting a library that a program has loaded would crash it.
	cp "$(TARGET)/release/libcotaste0.so" "$(TARGET)/cotaste0.so.new" && mv -f "$(TARGET)/cotaste0.so.new" "$(TARGET)/cotaste0.so"

build-cli: setup-sqlite ## target/cotaste, the command-line tool
	$(call cargo_cli,build --release)
	cp "$(TARGET)/cli/release/cotaste" "$(TARGET)/cotaste.new" && mv -f "$(TARGET)/cotaste.new" "$(TARGET)/cotaste"

build-pg15: setup-postgres ## the extension for the system's PostgreSQL
	$(call cargo_pg,15,build --release) --features $(PG15_FEATURE)

build-pg18: setup-postgres ## the extension for PostgreSQL 18
	$(call cargo_pg,18,build --release) --features $(PG18_FEATURE)

# The planted builds panic on purpose. They use the dev profile so as not to overwrite the release library.
planted-sqlite: setup-sqlite
	cargo build -p cotaste-sqlite --features loadable,planted

planted-pg15: setup-postgres
	$(call cargo_pg,15,build) --features $(PG15_FEATURE),planted

planted-pg18: setup-postgres
	$(call cargo_pg,18,build) --features $(PG18_FEATURE),planted

build-kernels:
	cargo build --release -p cotaste-core --example kernels

# Without the test harness, whose dependencies would be built a second time.
build-floor:
	$(call cargo_tests,build) --release -p cotaste-floor

build-tests: setup-sqlite
	$(call cargo_tests,build)

setup-sqlite:
	@scripts/setup sqlite

setup-browser:
	@scripts/setup browser

setup-clients:
	@scripts/setup clients

setup-cli:
	@scripts/setup cli

setup-postgres: setup-sqlite
	@scripts/setup postgres

clean: ## remove everything that was built or downloaded
	rm -rf "$(TARGET)"
