#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables for ctrl/rpc/descriptors.h from a FileDescriptorSet: descriptors_gen.py SET > C."""

import sys

from google.protobuf import descriptor_pb2


def symbols_of_message(prefix, message):
    name = f"{prefix}.{message.name}"
    yield name
    for field in message.field:
        yield f"{name}.{field.name}"
    for enum in message.enum_type:
        yield f"{name}.{enum.name}"
    for nested in message.nested_type:
        yield from symbols_of_message(name, nested)


def symbols_of(file):
    for message in file.message_type:
        yield from symbols_of_message(file.package, message)
    for enum in file.enum_type:
        yield f"{file.package}.{enum.name}"
    for service in file.service:
        yield f"{file.package}.{service.name}"
        for method in service.method:
            yield f"{file.package}.{service.name}.{method.name}"


def needs_of(place, files, index):
    """The file itself first, then what it imports, each once."""
    found = [place]
    for at in found:
        found += [i for d in files[at].dependency if (i := index[d]) not in found]
    return found


def print_bytes(name, data):
    print(f"static const uint8_t {name}[] = {{")
    for at in range(0, len(data), 16):
        print("\t" + " ".join(f"{b}," for b in data[at:at + 16]))
    print("};")


def main():
    with open(sys.argv[1], "rb") as file:
        files = list(descriptor_pb2.FileDescriptorSet.FromString(file.read()).file)
    index = {f.name: i for i, f in enumerate(files)}
    print('#include "ctrl/rpc/descriptors.h"\n')
    for i, f in enumerate(files):
        print_bytes(f"file_{i}", f.SerializeToString())
        print(f"static const uint16_t needs_{i}[] = "
              f"{{{', '.join(map(str, needs_of(i, files, index)))}}};")
    print("const struct descriptor_file descriptor_files[] = {")
    for i, f in enumerate(files):
        print(f'\t{{"{f.name}", file_{i}, sizeof(file_{i}), needs_{i}, '
              f"sizeof(needs_{i}) / sizeof(needs_{i}[0])}},")
    print(f"}};\nconst size_t descriptor_n_files = {len(files)};")
    symbols = sorted((s, i) for i, f in enumerate(files) for s in symbols_of(f))
    print("const struct descriptor_symbol descriptor_symbols[] = {")
    for symbol, i in symbols:
        print(f'\t{{"{symbol}", {i}}},')
    print(f"}};\nconst size_t descriptor_n_symbols = {len(symbols)};")
    services = sorted(f"{f.package}.{s.name}" for f in files for s in f.service)
    print("const char *const descriptor_services[] = {")
    for service in services:
        print(f'\t"{service}",')
    print(f"}};\nconst size_t descriptor_n_services = {len(services)};")


main()
