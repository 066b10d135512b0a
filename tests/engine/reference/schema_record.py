"""JSON Schema keywords, judged by the Python package jsonschema: tests/data/engine/json_schema.json.

    schema_record.py OUT          (tests/data/engine/json_schema.json; needs jsonschema from PyPI)

A list of {"schema", "likely": texts that a grammar has to let through, "wrong": texts that it must not}. The wrong ones
are all that the validator refuses among small values made of a few names, words and numbers; those it accepts are
not all to be let through (a grammar has one order of properties), so the likely ones are chosen by hand and checked."""

import itertools
import json
import sys

import jsonschema

WORDS = ["", "a", "b", "ab", "x", "x1", "x12", "1", "aa", "zz", "red", "2024-02-30", "2024-02-29"]
SCALARS = [None, True, False, 0, 1, 2, 3, 1.5, -1, "a", "b", "red"]


def arrays():
    for n in range(4):
        for items in itertools.product([1, 2, "a", "b"], repeat=n):
            yield list(items)
    yield from ([True, False], [True, True], [None, None], [3, 1, 2], ["red", "b", "a"], [1] * 6, ["a"] * 6)


def objects():
    names = ["a", "b", "x1", "kind"]
    for n in range(4):
        for chosen in itertools.permutations(names, n):
            for values in itertools.product([1, "a", "b"], repeat=n):
                yield dict(zip(chosen, values))
    yield from ({"c": 1}, {"x": 1}, {"x12": "a"}, {"ax1": 1}, {"kind": "a", "b": 1, "c": "d"}, {"": 1})


CASES = [
    ({"type": "array", "items": {"enum": [1, 2, "a"]}, "uniqueItems": True, "minItems": 1},
     ["[1]", "[2,1]", "[\"a\",1,2]"]),
    ({"type": "array", "items": {"type": "boolean"}, "uniqueItems": True}, ["[]", "[false,true]"]),
    ({"type": "array", "items": {"enum": [0, 1, 2, 3, 4, 5, 6, 7, 8]}, "uniqueItems": True, "maxItems": 3,
      "minItems": 2}, ["[0,8]", "[1,2,3]"]),
    ({"type": "array", "items": {"enum": [1, 1.0, 2]}, "uniqueItems": True}, ["[1,2]"]),
    ({"type": "array", "maxItems": 1, "uniqueItems": True}, ["[]", "[\"red\"]"]),
    ({"type": "array", "contains": {"const": "a"}}, ["[\"a\"]", "[1,\"a\",2]", "[\"a\",\"a\"]"]),
    ({"type": "array", "contains": {"type": "integer"}, "minContains": 2, "maxItems": 3},
     ["[1,2]", "[1,\"a\",2]"]),
    ({"type": "array", "items": {"type": ["integer", "string"]}, "contains": {"type": "string"}, "maxContains": 1},
     ["[\"a\"]", "[1,\"b\",2]"]),
    ({"type": "array", "contains": {"const": 1}, "minContains": 0, "maxContains": 2}, ["[]", "[1,2,1]"]),
    ({"type": "object", "patternProperties": {"^x[0-9]+$": {"type": "integer"}}, "additionalProperties": False},
     ["{}", "{\"x1\":1}", "{\"x1\":1,\"x20\":3}"]),
    ({"type": "object", "properties": {"a": {"type": "string"}, "x1": {"minimum": 1}}, "required": ["a"],
      "patternProperties": {"^x": {"type": "integer"}, "1$": {"maximum": 5}}, "additionalProperties": {"const": "b"}},
     ["{\"a\":\"a\"}", "{\"a\":\"a\",\"x1\":2}", "{\"a\":\"a\",\"b\":\"b\",\"xy\":9}"]),
    ({"type": "object", "patternProperties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
     ["{\"a\":\"a\"}", "{\"bb\":1}"]),
    ({"type": "object", "propertyNames": {"pattern": "^[a-b]+$"}, "additionalProperties": {"type": "integer"}},
     ["{\"a\":1,\"b\":1}"]),
    ({"type": "object", "propertyNames": {"maxLength": 2}}, ["{\"a\":1,\"x1\":[]}"]),
    ({"type": "object", "propertyNames": {"enum": ["a", "b"]}, "properties": {"kind": {}, "a": {"const": 1}}},
     ["{\"a\":1}", "{}"]),
    ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "x1": {}},
      "dependentRequired": {"a": ["b"]}, "additionalProperties": False},
     ["{}", "{\"b\":1}", "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":1,\"x1\":null}"]),
    ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
      "dependentSchemas": {"a": {"properties": {"b": {"const": "a"}}, "required": ["b"]}}},
     ["{\"b\":\"b\"}", "{\"a\":1,\"b\":\"a\"}"]),
    ({"type": "object", "properties": {"kind": {"enum": ["a", "b", "c"]}, "a": {"type": "integer"},
                                       "b": {"type": "string"}}, "required": ["kind"],
      "if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["a"]}, "else": {"required": ["b"]}},
     ["{\"kind\":\"a\",\"a\":1}", "{\"kind\":\"b\",\"b\":\"a\"}", "{\"kind\":\"c\",\"a\":2,\"b\":\"x\"}"]),
    ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
      "if": {"required": ["a"]}, "then": {"required": ["b"]}}, ["{}", "{\"a\":1,\"b\":1}", "{\"b\":7}"]),
    ({"type": "integer", "if": {"minimum": 2}, "then": {"maximum": 3}, "else": {"maximum": 0}}, ["2", "3", "0", "-1"]),
    ({"type": "string", "not": {"enum": ["a", "red"]}}, ["\"\"", "\"b\"", "\"reda\"", "\"re\""]),
    ({"not": {"type": ["object", "array", "string"]}}, ["1.5", "null", "true"]),
    ({"not": {"const": 1}}, ["\"a\"", "2", "0", "null"]),
    ({"type": "integer", "not": {"enum": [1, 3]}}, ["0", "2", "4", "-1"]),
    ({"type": "number", "minimum": 0, "not": {"anyOf": [{"const": 1.5}, {"minimum": 2}]}}, ["0", "1", "1.75"]),
    ({"type": "string", "maxLength": 3, "not": {"pattern": "^a"}}, ["\"\"", "\"ba\""]),
    ({"type": "string", "pattern": "^[a-z]+[0-9]?$", "minLength": 2, "maxLength": 3}, ["\"ab\"", "\"aa1\""]),
    ({"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b$"}]}, ["\"ab\"", "\"aab\""]),
    ({"type": "string", "format": "date", "pattern": "^2024-02"}, ["\"2024-02-29\""]),
    ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
      "not": {"properties": {"a": {"const": "b"}}}}, ["{\"a\":\"a\"}"]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "not": {"required": ["a", "b"]}},
     ["{}", "{\"a\":1}", "{\"b\":1}"]),
    ({"enum": ["a", 1, 2, None], "not": {"const": 1.0}}, ["\"a\"", "2", "null"]),
]


def main():
    out = []
    values = SCALARS + WORDS + list(arrays()) + list(objects())
    for schema, likely in CASES:
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        for text in likely:
            assert validator.is_valid(json.loads(text)), (schema, text)
        wrong = [v for v in values if not validator.is_valid(v)]
        assert wrong or schema.get("maxItems") == 1, schema
        # those of the right type are the hard ones
        kind = schema.get("type")
        python = {"array": list, "object": dict, "string": str}.get(kind)
        near = [v for v in wrong if python and isinstance(v, python)] or wrong
        step = max(1, len(near) // 60)
        texts = [json.dumps(v, separators=(",", ":")) for v in near[::step] + wrong[:10]]
        out.append({"schema": schema, "likely": likely, "wrong": list(dict.fromkeys(texts))})
    with open(sys.argv[1], "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in out) + "\n]\n")


if __name__ == "__main__":
    main()
