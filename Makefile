# Quern. `make` lists the targets. Everything is built under build/ and web/wasm/.

config ?= release
JOBS := $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
CC      = clang-19
WASM_LD = wasm-ld-19
NODE    = node
# tools/deps.sh puts a newer Node there where the system's is too old.
export PATH := $(CURDIR)/build/node/bin:$(PATH)

B := build/$(config)
SOURCES := $(sort $(wildcard src/*/*.c))
LIB_SOURCES := $(filter-out src/wasm/%,$(SOURCES)) build/gen/wgsl.c
WASM_SOURCES := $(filter-out src/constrain/%,$(SOURCES)) build/gen/wgsl.c
CONSTRAIN_SOURCES := $(filter src/constrain/%,$(SOURCES))
TESTS := $(patsubst tests/c/%.c,%,$(sort $(wildcard tests/c/test_*.c)))
FUZZERS := $(patsubst fuzz/%.c,%,$(sort $(wildcard fuzz/fuzz_*.c)))

WARN = -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wconversion -Wno-sign-conversion -Wmissing-prototypes -Wvla -Werror
CFLAGS_common = -std=c17 -I. -Isrc -Iinclude $(WARN) -ffp-contract=off -MMD -MP
CFLAGS_release  = -O3 -g1
CFLAGS_debug    = -O0 -g -DQN_DEBUG
CFLAGS_sanitize = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -DQN_DEBUG
CFLAGS_coverage = -O0 -g -fprofile-instr-generate -fcoverage-mapping
CFLAGS = $(CFLAGS_common) $(CFLAGS_$(config)) $(EXTRA)
LDFLAGS_sanitize = -fsanitize=address,undefined
LDFLAGS_coverage = -fprofile-instr-generate
LDLIBS = -lm -lpthread

# ---- wasm: plain clang and wasm-ld against wasi-libc, with an explicit list of exports.
# Each carries one backend: `gpu` that of WebGPU, the others that of the CPU.
WASM_VARIANTS = scalar simd relaxed threads threads-relaxed gpu
WASM_LIBS = -L/usr/lib/wasm32-wasi -lc $(firstword $(wildcard /usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a /usr/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a))
WASM_CFLAGS = --target=wasm32-wasi -std=c17 -Isrc -Iinclude $(WARN) -ffp-contract=off -ffunction-sections -fdata-sections \
	-fvisibility=hidden -mbulk-memory -mnontrapping-fptoint -MMD -MP
# Structures of two words travel in registers, not through memory: 9 KB less to download (gzip). The modules are
# closed, so the convention is nobody else's business; the linker complains where a library function's differs.
# A structure with a union of structures would lose parts: tools/lint.mjs refuses to pass one by value.
WASM_CFLAGS += -mmultivalue -Xclang -target-abi -Xclang experimental-mv
# Speed where the time goes, size everywhere else: there a call is cheaper than what -Oz takes to be as short. WebGPU's module decodes vectors,
# what files keep transposed, and what its self-test needs.
WASM_FAST = $(patsubst %,src/%.c,cpu/kernels cpu/matmul cpu/prepare cpu/attention cpu/rowwise cpu/sample quant/blocks quant/kblocks quant/codec quant/wformat base/sha256 text/bpe text/unigram)
WASM_COLD_gpu = src/quant/wformat.c
WASM_OPT = $(if $(filter-out $(WASM_COLD_$(2)),$(filter $(WASM_FAST),$(1))),-O3,-Oz -mllvm -inline-threshold=-20)
WASM_CFLAGS_scalar  = -DQN_NO_WEBGPU
WASM_CFLAGS_simd    = -DQN_NO_WEBGPU -msimd128
WASM_CFLAGS_relaxed = -DQN_NO_WEBGPU -msimd128 -mrelaxed-simd
WASM_CFLAGS_threads = -DQN_NO_WEBGPU -msimd128 -matomics
WASM_CFLAGS_threads-relaxed = $(WASM_CFLAGS_relaxed) -matomics
WASM_CFLAGS_gpu     = -DQN_NO_CPU -msimd128
WASM_LDFLAGS = --fatal-warnings --no-entry --gc-sections --strip-all --stack-first -z stack-size=262144 --allow-undefined-file=src/wasm/imports.txt
# The engine's modules give these to the module for constrained output, which shares their memory.
WASM_SHARED = $(addprefix --export=,$(shell cat src/wasm/shared.txt)) --export-table --growable-table
WASM_LDFLAGS_threads = --shared-memory --import-memory --max-memory=4294967296 --no-check-features --export=__stack_pointer --export=__wasm_init_tls --export=__tls_size --export=__tls_align
WASM_LDFLAGS_threads-relaxed = $(WASM_LDFLAGS_threads)

.PHONY: help deps deps-build build native wasm demo test check bench lint format fuzz dist size clean gen gen-check
help:
	@echo 'make demo     install what is missing, build, and serve the page on localhost'
	@echo 'make test     install what is missing, build, and run all tests'
	@echo 'make build    the native command build/quern and the wasm modules in web/wasm/'
	@echo 'make bench    speed, beside other engines'
	@echo 'make lint     static checks; make format rewrites the C sources in the house style'
	@echo 'make fuzz     every fuzz target for SECONDS seconds (default 60)'
	@echo 'make dist     the npm package as dist/quern-VERSION.tgz; make size says what it weighs'
	@echo 'config=debug|release|sanitize|coverage chooses the native build'

deps:
	@sh tools/deps.sh test
deps-build:
	@sh tools/deps.sh build

build: deps-build
	@$(MAKE) --no-print-directory $(JOBS) native wasm
native: build/quern
wasm: $(WASM_VARIANTS:%=web/wasm/quern-%.wasm) web/wasm/constrain.wasm web/wasm/constrain-threads.wasm

# ---- generated sources
build/gen/wgsl.c: tools/embed_wgsl.mjs $(wildcard src/webgpu/kernels/*.wgsl) $(wildcard src/webgpu/params.def)
	@mkdir -p $(@D)
	@$(NODE) tools/embed_wgsl.mjs $@ $(sort $(wildcard src/webgpu/kernels/*.wgsl))

GENERATORS = $(sort $(wildcard tools/gen_*.mjs))
gen:
	@for g in $(GENERATORS); do $(NODE) $$g || exit 1; done
gen-check:
	@for g in $(GENERATORS); do $(NODE) $$g --check || exit 1; done

# ---- native
$(B)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -c -o $@ $<
$(B)/libquern.a: $(LIB_SOURCES:%.c=$(B)/%.o)
	@rm -f $@
	@echo '  AR $@'; llvm-ar-19 rcs $@ $^
$(B)/quern: $(B)/cli/main.o $(filter-out $(B)/cli/main.o,$(patsubst %.c,$(B)/%.o,$(wildcard cli/*.c))) $(B)/libquern.a
	@echo '  LD $@'; $(CC) $(LDFLAGS_$(config)) -o $@ $^ $(LDLIBS)
build/quern: $(B)/quern
	cp $< $@
$(B)/%: $(B)/tests/c/%.o $(B)/libquern.a
	@echo '  LD $@'; $(CC) $(LDFLAGS_$(config)) -o $@ $^ $(LDLIBS)
# The fuzz targets are only compiled: nothing else would tell that one no longer does.
test-programs: $(TESTS:%=$(B)/%) $(FUZZERS:%=$(B)/fuzz/%.o)
$(B)/bench_%: $(B)/bench/%.o $(B)/libquern.a
	@echo '  LD $@'; $(CC) $(LDFLAGS_$(config)) -o $@ $^ $(LDLIBS)
.PRECIOUS: $(B)/%.o

# ---- wasm
# Binaryen's optimizer, where npm has installed it (devDependencies), takes 4 % off the module that is largest; its time
# is spent waiting for the GPU. The lowest addresses, which it may take to be unused, are the end of the stack. Data in
# one piece, zeros included, compresses better than in several.
BINARYEN = node_modules/.bin/wasm-opt
BINARYEN_FLAGS = -Oz --flatten --rereloop -Oz --gufa -Oz --skip-pass=memory-packing --low-memory-unused --mvp-features \
	$(addprefix --enable-,simd multivalue bulk-memory bulk-memory-opt sign-ext nontrapping-float-to-int mutable-globals reference-types call-indirect-overlong)
define WASM_VARIANT
build/wasm-$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@$(CC) $(WASM_CFLAGS) -DQN_NO_CONSTRAIN $$(call WASM_OPT,$$<,$(1)) $(WASM_CFLAGS_$(1)) -c -o $$@ $$<
web/wasm/quern-$(1).wasm: $(WASM_SOURCES:%.c=build/wasm-$(1)/%.o) src/wasm/exports.txt src/wasm/imports.txt src/wasm/shared.txt
	@mkdir -p web/wasm
	@echo '  LD $$@'; $(WASM_LD) $(WASM_LDFLAGS) $(WASM_LDFLAGS_$(1)) $$(addprefix --export=,$$(shell cat src/wasm/exports.txt)) $(WASM_SHARED) \
	    -o $$@ $$(filter %.o,$$^) $(WASM_LIBS)
	@$(if $(filter gpu,$(1)),if [ -x $(BINARYEN) ]; then $(NODE) $(BINARYEN) $(BINARYEN_FLAGS) -o $$@ $$@; fi)
endef
$(foreach v,$(WASM_VARIANTS),$(eval $(call WASM_VARIANT,$(v))))

# Constrained output, linked to an engine's module at run time (web/constrain.js).
WASM_CFLAGS_constrain-threads = -matomics
WASM_LDFLAGS_constrain-threads = --shared-memory --no-check-features
define CONSTRAIN_VARIANT
build/wasm-$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@$(CC) $(WASM_CFLAGS) -fPIC $$(if $$(filter src/constrain/mask.c,$$<),-O3,-Oz) $(WASM_CFLAGS_$(1)) -c -o $$@ $$<
web/wasm/$(1).wasm: $(CONSTRAIN_SOURCES:%.c=build/wasm-$(1)/%.o)
	@mkdir -p web/wasm
	@echo '  LD $$@'; $(WASM_LD) --no-entry --gc-sections --strip-all -shared --experimental-pic --unresolved-symbols=import-dynamic \
	    $(WASM_LDFLAGS_$(1)) --export=qn_constrain_table -o $$@ $$^
endef
$(foreach v,constrain constrain-threads,$(eval $(call CONSTRAIN_VARIANT,$(v))))

# ---- what people run
demo: deps-build
	@echo 'building the WebAssembly modules (a minute or three, the first time)'
	@$(MAKE) --no-print-directory $(JOBS) wasm
	@$(NODE) tools/serve.mjs

test: deps
	@$(MAKE) --no-print-directory $(JOBS) native wasm test-programs
	@$(MAKE) --no-print-directory $(JOBS) config=sanitize test-programs
	@$(NODE) tools/test.mjs $(TEST)

bench: deps build
	@$(NODE) bench/run.mjs $(BENCH)

lint: gen-check
	@$(NODE) tools/lint.mjs
	npx tsc -p tsconfig.json
format:
	@clang-format -i $(filter-out %_tables.c,$(wildcard include/*.h src/*/*.[ch] cli/*.[ch] tests/c/*.[ch] tests/wasm/*.c fuzz/*.c))

SECONDS ?= 60
build/fuzz/%: fuzz/%.c $(LIB_SOURCES)
	@mkdir -p $(@D)
	$(CC) -std=c17 -Isrc -Iinclude -O1 -g -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
fuzz: $(FUZZERS:%=build/fuzz/%)
	@for f in $(FUZZERS:fuzz_%=%); do mkdir -p build/corpus/$$f; echo "== $$f"; \
	    build/fuzz/fuzz_$$f -max_total_time=$(SECONDS) -timeout=1 -rss_limit_mb=512 build/corpus/$$f fuzz/seeds/$$f || exit 1; done

dist: deps build
	@$(NODE) tools/dist.mjs
size: deps build
	@$(NODE) tools/size.mjs

clean:
	rm -rf build dist web/wasm

-include $(shell find build -name '*.d' 2>/dev/null)
