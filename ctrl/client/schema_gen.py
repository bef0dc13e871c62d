#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A plugin of protoc: the tables of ctrl/client/schema.h from the .proto files.

    protoc --plugin=protoc-gen-client=ctrl/client/schema_gen.py --client_out=DIR FILE...

writes DIR/client_schema.c.
"""

import json
import re
import sys

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

TYPES = {Field.TYPE_STRING: "STRING", Field.TYPE_BYTES: "STRING", Field.TYPE_BOOL: "TRUTH",
         Field.TYPE_ENUM: "ENUM", Field.TYPE_MESSAGE: "MESSAGE"}
MESSAGES, FIELDS, ONEOFS = 4, 2, 8  # field numbers in descriptor.proto


def quoted(text):
    return json.dumps(text) if text else '""'


def short(enum, value):
    """FORWARDING_MODE_FULLNAT of ForwardingMode is fullnat."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum).upper() + "_"
    return value.removeprefix(prefix).lower()


def comments(file):
    """The comment beside or over each thing, on one line, by its path in the descriptor."""
    return {tuple(place.path): " ".join((place.trailing_comments or place.leading_comments).split())
            for place in file.source_code_info.location}


def sentence(text):
    """As much as fits beside a key in the help."""
    first = re.split(r"(?<=[a-z0-9)])[.;] ", text)[0].rstrip(".")
    return first if len(first) <= 90 else ""


def enum(e):
    values = [short(e.name, v.name) for v in e.value]
    listed = ", ".join(quoted(v) for v in values if v != "unspecified")
    return f"\t{{{quoted(e.name)}, (const char *const[]){{{listed}, NULL}}}},\n"


def field(f, comment):
    known = f.type_name.startswith(".google.protobuf.")  # times, durations, masks: JSON strings
    of = quoted(f.type_name.rsplit(".", 1)[-1]) if f.type_name and not known else "NULL"
    kind = "STRING" if known else TYPES.get(f.type, "NUMBER")
    repeated = str(f.label == Field.LABEL_REPEATED).lower()
    output_only = str("output only" in comment or "set by the server" in comment).lower()
    return (f"\t\t{{{quoted(f.json_name)}, SCHEMA_{kind}, {of}, {repeated}, {output_only}, "
            f"{quoted(sentence(comment))}}},\n")


def message(m, path, said):
    def comment(i, f):
        """A field that is alone in a oneof, for its presence, may be explained there."""
        around = said.get((*path, ONEOFS, f.oneof_index), "") if f.HasField("oneof_index") else ""
        return said.get((*path, FIELDS, i)) or around

    fields = "".join(field(f, comment(i, f)) for i, f in enumerate(m.field))
    return f"\t{{{quoted(m.name)}, (const struct schema_field[]){{\n{fields}\t\t{{0}}}}}},\n"


def method(service, m):
    request = m.input_type.rsplit(".", 1)[-1]
    return (f"\t{{{quoted(service.name)}, {quoted(m.name)}, {quoted(request)}, "
            f"{str(m.server_streaming).lower()}}},\n")


def table(name, rows):
    return f"const struct schema_{name} schema_{name}s[] = {{\n{''.join(rows)}\t{{0}}}};\n"


def main():
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    enums, messages, methods = [], [], []
    for file in request.proto_file:
        if file.name not in request.file_to_generate:
            continue
        said = comments(file)
        enums += [enum(e) for e in file.enum_type]
        messages += [message(m, (MESSAGES, i), said) for i, m in enumerate(file.message_type)]
        methods += [method(s, m) for s in file.service for m in s.method]
    answer = plugin_pb2.CodeGeneratorResponse()
    out = answer.file.add(name="client_schema.c")
    out.content = ("/* Made by ctrl/client/schema_gen.py. */\n#include \"ctrl/client/schema.h\"\n\n" +
                   table("enum", enums) + table("message", messages) + table("method", methods))
    sys.stdout.buffer.write(answer.SerializeToString())


main()
