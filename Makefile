# SPDX-License-Identifier: BSD-3-Clause
#
#   make            build/sluice and build/sluicectl
#   sudo make demo  install what is needed, build, show the appliance on real traffic
#   sudo make test  install, build, every test tier; `make test T=unit` runs one
#   make help       all targets

B       := build
CC      ?= gcc
VERSION := $(shell cat VERSION)$(shell git rev-parse --short HEAD 2>/dev/null | sed 's/^/+/')

SHELL := /bin/bash

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

# ---- flags -------------------------------------------------------------------
# Expanded when first used, so that `make deps` works before anything is installed.
pkg = $(shell pkg-config $(1) || echo pkg-config-failed-run-make-deps)

WARN     := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPT      ?= -O2 -g
CPPFLAGS := -I. -Iinclude -I$(B)/gen -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"'
CFLAGS   := -std=gnu11 $(OPT) $(WARN) -fno-strict-aliasing

DPDK_CFLAGS = $(call pkg,--cflags-only-I --cflags-only-other libdpdk)
CTRL_CFLAGS = $(call pkg,--cflags libevent libevent_openssl libnghttp2 openssl libprotobuf-c sqlite3)
CTL_CFLAGS  = $(call pkg,--cflags jansson yaml-0.1 libcurl popt)

# DPDK is linked statically, with a chosen list: `pkg-config --static` asks for
# every driver and for libraries that we never call. Drivers register themselves,
# so they stand within --whole-archive.
DPDK_DRIVERS := bus_vdev bus_pci bus_auxiliary mempool_ring \
	net_tap net_ring net_memif net_null \
	common_iavf common_mlx5 net_virtio net_vmxnet3 net_e1000 net_igc net_ixgbe net_i40e \
	net_ice net_iavf net_ena net_mlx5 net_bnxt
DPDK_LIBS := security cryptodev rcu hash ip_frag gso net pci ethdev meter timer \
	mbuf mempool ring eal kvargs telemetry
DPDK_STATIC = -Wl,--whole-archive $(addprefix -l:librte_,$(addsuffix .a,$(DPDK_DRIVERS) $(DPDK_LIBS))) \
	-Wl,--no-whole-archive -libverbs -lmlx5 -lbsd -lm -lpthread -ldl
# Unit tests take only the library objects that they need; a mempool cannot be made
# without the default ops, which register themselves.
DPDK_UNIT = -Wl,--whole-archive -l:librte_mempool_ring.a -Wl,--no-whole-archive \
	-Wl,--start-group $(addprefix -l:librte_,$(addsuffix .a,$(DPDK_LIBS))) -Wl,--end-group -lbsd -lm -lpthread -ldl
DPDK_LIBDIR = -L$(call pkg,--variable=libdir libdpdk)
CTRL_LIBS   = $(call pkg,--libs libevent libevent_openssl libnghttp2 openssl libprotobuf-c sqlite3) -lhttp_parser
PRIM_LIBS   = -lnuma $(call pkg,--libs yaml-0.1)
CTL_LIBS    = $(call pkg,--libs jansson yaml-0.1 libcurl popt)

# ---- what is built -------------------------------------------------------------
PRIMARY_SRC   := $(wildcard primary/*.c)
SECONDARY_SRC := $(wildcard secondary/*.c)
CTRL_SRC      := $(wildcard ctrl/*.c ctrl/rpc/*.c)
CLIENT_SRC    := $(wildcard ctrl/client/*.c ctrl/client/ipvsadm/*.c)
PROTO_FILES   := $(wildcard proto/sluice/v1/*.proto proto/grpc/*/*/*.proto)
PROTO_SRC     := $(patsubst proto/%.proto,$(B)/gen/%.pb-c.c,$(PROTO_FILES)) \
	$(patsubst %,$(B)/gen/google/protobuf/%.pb-c.c,duration field_mask timestamp)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
PROTO_OBJ   := $(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(PROTO_SRC) $(B)/gen/descriptors.c)
SLUICE_OBJ  := $(call obj,$(PRIMARY_SRC) $(SECONDARY_SRC) $(CTRL_SRC)) $(PROTO_OBJ)
CLIENT_OBJ  := $(call obj,$(CLIENT_SRC)) $(B)/obj/gen/client_schema.o
# All but main(), for tests to link from.
TESTABLE    := $(filter-out $(B)/obj/primary/main.o,$(SLUICE_OBJ))
CTL_TESTABLE := $(filter-out $(B)/obj/ctrl/client/main.o,$(CLIENT_OBJ))

.PHONY: all
all: $(B)/sluice $(B)/sluicectl

$(B)/sluice: $(SLUICE_OBJ)
	@echo "  LD    $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(DPDK_LIBDIR) $(DPDK_STATIC) $(PRIM_LIBS) $(CTRL_LIBS)

$(B)/sluicectl: $(CLIENT_OBJ)
	@echo "  LD    $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(CTL_LIBS)

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: proto/%.proto
	@echo "  PROTO $<"
	@mkdir -p $(B)/gen
	@protoc-c --proto_path=proto --c_out=$(B)/gen $*.proto

# What reflection tells of them.
$(B)/gen/descriptors.c: $(PROTO_FILES) ctrl/rpc/descriptors_gen.py
	@echo "  PROTO $@"
	@mkdir -p $(@D)
	@protoc --proto_path=proto --include_imports --descriptor_set_out=$(@D)/api.binpb $(PROTO_FILES)
	@ctrl/rpc/descriptors_gen.py $(@D)/api.binpb > $@

# The well-known types that our messages use, of the system's protobuf.
$(B)/gen/google/protobuf/%.pb-c.c $(B)/gen/google/protobuf/%.pb-c.h:
	@mkdir -p $(B)/gen
	@protoc-c --proto_path=/usr/include --c_out=$(B)/gen google/protobuf/$*.proto

$(B)/obj/gen/%.o: $(B)/gen/%.c | $(PROTO_SRC)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(CTRL_CFLAGS) -MMD -MP -c -o $@ $<

# What sluicectl knows of the .proto files.
$(B)/gen/client_schema.c: $(wildcard proto/sluice/v1/*.proto) ctrl/client/schema_gen.py
	@echo "  PROTO $@"
	@mkdir -p $(@D)
	@protoc --proto_path=proto --plugin=protoc-gen-client=ctrl/client/schema_gen.py \
		--client_out=$(@D) $(filter %.proto,$^)

$(B)/obj/gen/client_schema.o: $(B)/gen/client_schema.c ctrl/client/schema.h
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/obj/ctrl/client/%.o: ctrl/client/%.c
	@echo "  CC    $<"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(CTL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/ctrl/%.o: ctrl/%.c | $(PROTO_SRC)
	@echo "  CC    $<"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(DPDK_CFLAGS) $(CTRL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c
	@echo "  CC    $<"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(DPDK_CFLAGS) -MMD -MP -c -o $@ $<

# ---- what is needed ---------------------------------------------------------------
# The one list of Debian packages: to build, then to run the demo and the tests.
PACKAGES := gcc make pkg-config git libdpdk-dev libnuma-dev libbsd-dev libibverbs-dev libevent-dev \
	libsqlite3-dev libssl-dev libnghttp2-dev libhttp-parser-dev \
	libprotobuf-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libjansson-dev \
	libyaml-dev libcurl4-openssl-dev libpopt-dev libcmocka-dev clang-format \
	clang-14 libclang-rt-14-dev \
	curl ethtool fish gnuplot-nox iproute2 iputils-ping ipvsadm mandoc nginx-light openssl procps \
	prometheus python3 python3-protobuf \
	python3-scapy sqlite3 util-linux valgrind zsh

.PHONY: deps
deps:
	@missing=$$(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(PACKAGES) 2>/dev/null | \
		sed -n 's/^installed //p' | sort | comm -13 - <(printf '%s\n' $(PACKAGES) | sort)); \
	if [ -n "$$missing" ]; then \
		echo "  APT   "$$missing; \
		export DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1; \
		apt-get -q update && apt-get -q install -y --no-install-recommends $$missing; \
	fi

# ---- install --------------------------------------------------------------------
PREFIX ?= /usr
MAN    := $(wildcard docs/*.8)

.PHONY: install
install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(B)/sluice
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(B)/sluicectl
	for f in sluice.yaml ctrl.yaml lb.yaml; do \
		[ -e $(DESTDIR)/etc/sluice/$$f ] || \
			install -D -m 644 -t $(DESTDIR)/etc/sluice conf/$$f || exit 1; \
	done
	for f in $(wildcard conf/systemd/*.service); do \
		install -D -m 644 <(sed 's,/usr/sbin,$(PREFIX)/sbin,' $$f) \
			$(DESTDIR)$(PREFIX)/lib/systemd/system/$${f##*/} || exit 1; \
	done
	$(if $(MAN),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(MAN))
	install -D -m 644 <($(B)/sluicectl completion bash) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluicectl
	install -D -m 644 <($(B)/sluicectl completion zsh) \
		$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_sluicectl
	install -D -m 644 <($(B)/sluicectl completion fish) \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sluicectl.fish

# ---- the rules of the house --------------------------------------------------------
FORMATTED = $(wildcard include/sluice/*.h primary/*.[ch] secondary/*.[ch] ctrl/*.[ch] \
	ctrl/rpc/*.[ch] ctrl/client/*.[ch] ctrl/client/ipvsadm/*.[ch] tests/unit/*.[ch] tests/unit/lib/*.[ch] \
	tests/packet/*.[ch] tests/bench/*.[ch] tests/chaos/*.[ch] tests/mp/*.[ch] tests/lib/*.[ch] \
	tests/ipvsadm/*.[ch] tests/fuzz/*.[ch] tests/fuzz/lib/*.[ch])

.PHONY: format format-check check-headers check-layers check-symbols
format:
	@clang-format --style=file -i $(FORMATTED)

format-check:
	@clang-format --style=file --dry-run --Werror $(FORMATTED)

# Each header that processes share compiles alone, and twice.
check-headers:
	@for h in $(wildcard include/sluice/*.h); do \
		printf '#include <%s>\n#include <%s>\n' $${h#include/} $${h#include/} | \
			$(CC) $(CPPFLAGS) $(CFLAGS) $(DPDK_CFLAGS) -fsyntax-only -x c - || exit 1; \
	done

# Who may include what, by the compiler's own list: (directory, what it must not see).
check-layers: $(PROTO_SRC)
	@CC='$(CC) $(CPPFLAGS) $(CFLAGS) $(DPDK_CFLAGS) $(CTRL_CFLAGS) $(CTL_CFLAGS)' \
		CC_CLIENT='$(CC) $(CPPFLAGS) $(CFLAGS) $(CTL_CFLAGS)' tests/layers

# No global name of ours is also a loaded library's: the loader would mix them up.
check-symbols: $(B)/sluice
	@tests/symbols $< $(SLUICE_OBJ)

# The part of the man page that lists the commands is the program's own list.
with_commands = sed -e '/: begin$$/q' docs/sluicectl.8; $(B)/sluicectl __mdoc; \
	sed -n -e '/^\.\\" end$$/,$$p' docs/sluicectl.8

.PHONY: docs check-docs
docs: $(B)/sluicectl
	@{ $(with_commands); } > $(B)/sluicectl.8 && cp $(B)/sluicectl.8 docs/sluicectl.8

check-docs: $(B)/sluicectl
	@{ $(with_commands); } | diff -u docs/sluicectl.8 - || { echo 'run `make docs`'; exit 1; }
	@mandoc -T lint -W warning $(MAN)

.PHONY: clean help
clean:
	rm -rf $(B)

help:
	@echo 'make               build $(B)/sluice and $(B)/sluicectl'
	@echo 'make deps          install the packages that are missing (root)'
	@echo 'make demo          the appliance on real traffic, in namespaces (root)'
	@echo 'make test          every test tier (root); T="unit net" runs these tiers'
	@echo 'make fuzz          every parser on mutated input; FUZZ="worker http" RUNS= SECONDS_EACH='
	@echo 'make bench         what a packet costs (root, 2 CPUs); QUICK=1 about a minute'
	@echo 'make chaos         what is lost when processes die (root); QUICK=1, KILLS=1000'
	@echo 'make install       DESTDIR= PREFIX=/usr'
	@echo 'make format        lay out the sources; format-check says what differs'
	@echo 'make docs          the commands into the man page; check-docs says what differs'
	@echo 'make check-headers each shared header compiles alone'
	@echo 'make check-layers  no directory includes what it must not'
	@echo 'make check-symbols no name of ours is one of a library'
	@echo 'make clean         remove $(B)'

# The version is compiled into these; rebuild them when it changes.
$(B)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
$(B)/obj/primary/main.o $(B)/obj/primary/shm_create.o $(B)/obj/ctrl/client/main.o: $(B)/version
.PHONY: FORCE
FORCE:

include Makefile.tests

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
