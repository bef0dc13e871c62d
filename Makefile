# SPDX-License-Identifier: BSD-3-Clause
#
#   make            build/sluice and build/sluicectl
#   sudo make demo  install what is needed, build, show the appliance on real traffic
#   sudo make test  install, build, every test tier; `make test T=unit` runs one
#   make help       all targets

B       := build
CC      ?= gcc
VERSION := $(shell cat VERSION)$(shell git rev-parse --short HEAD 2>/dev/null | sed 's/^/+/')

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- flags -------------------------------------------------------------------
# Expanded when first used, so that `make deps` works before anything is installed.
pkg = $(shell pkg-config $(1) || echo pkg-config-failed-run-make-deps)

WARN     := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPT      ?= -O2 -g
CPPFLAGS := -I. -Iinclude -I$(B)/gen -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"'
CFLAGS   := -std=gnu11 $(OPT) $(WARN) -fno-strict-aliasing

DPDK_CFLAGS = $(call pkg,--cflags-only-I --cflags-only-other libdpdk)
CTRL_CFLAGS = $(call pkg,--cflags libevent libprotobuf-c sqlite3 jansson)
CTL_CFLAGS  = $(call pkg,--cflags jansson yaml-0.1 libevent)

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
# Unit tests take only the library objects that they need.
DPDK_UNIT = -Wl,--start-group $(addprefix -l:librte_,$(addsuffix .a,mempool_ring $(DPDK_LIBS))) \
	-Wl,--end-group -lbsd -lm -lpthread -ldl
DPDK_LIBDIR = -L$(call pkg,--variable=libdir libdpdk)
CTRL_LIBS   = $(call pkg,--libs libevent libprotobuf-c sqlite3 jansson)
PRIM_LIBS   = -lnuma $(call pkg,--libs yaml-0.1)
CTL_LIBS    = $(call pkg,--libs jansson yaml-0.1 libevent)

# ---- what is built -------------------------------------------------------------
PRIMARY_SRC   := $(wildcard primary/*.c)
SECONDARY_SRC := $(wildcard secondary/*.c)
CTRL_SRC      := $(wildcard ctrl/*.c ctrl/rpc/*.c)
CLIENT_SRC    := $(wildcard ctrl/client/*.c)
PROTO_SRC     := $(B)/gen/sluice/v1/sluice.pb-c.c

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
PROTO_OBJ   := $(B)/obj/gen/sluice.pb-c.o
SLUICE_OBJ  := $(call obj,$(PRIMARY_SRC) $(SECONDARY_SRC) $(CTRL_SRC)) $(PROTO_OBJ)
CLIENT_OBJ  := $(call obj,$(CLIENT_SRC))
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

$(B)/gen/sluice/v1/%.pb-c.c $(B)/gen/sluice/v1/%.pb-c.h: proto/sluice/v1/%.proto
	@echo "  PROTO $<"
	@mkdir -p $(B)/gen
	@protoc-c --proto_path=proto --c_out=$(B)/gen sluice/v1/$*.proto

$(PROTO_OBJ): $(PROTO_SRC)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(CTRL_CFLAGS) -MMD -MP -c -o $@ $<

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

# The version is compiled into these; rebuild them when it changes.
$(B)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
$(B)/obj/primary/main.o $(B)/obj/primary/shm_create.o $(B)/obj/ctrl/client/main.o: $(B)/version
.PHONY: FORCE
FORCE:

include Makefile.tests

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
