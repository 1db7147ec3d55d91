"""The JSON Schema of report.json, made from the results model.

`make schema` writes it to `reports/report.schema.json`, which is shipped.
"""

from inspect import cleandoc
from pathlib import Path

import msgspec

from rnn_parity_reports.results import Report

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


def json_schema() -> bytes:
    """Give the schema as JSON text."""
    schema = msgspec.json.schema(Report)
    for each in schema["$defs"].values():  # before Python 3.13 docstrings are indented
        if "description" in each:
            each["description"] = cleandoc(each["description"])
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return msgspec.json.format(msgspec.json.encode(draft), indent=2) + b"\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(json_schema())
