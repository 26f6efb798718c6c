"""`make bench-content` measures masking, names the peers that are missing, and leaves nothing."""

import re
from pathlib import Path

from loadtest import orders
from tests.content.policies import HMAC, compiled, sent
from tests.project.tree import bench


def test_the_bench_of_content_measures_the_codec_the_proxy_and_the_peers(tmp_path: Path) -> None:
    told = bench(
        "loadtest.content", ["--rounds", "1", "--mebibytes", "1", "--large", "0"], tmp_path
    )
    for name in (
        "checked only",
        r"masked \(blake2b\) and searched",
        "lockgate, interpreted, blake2b",
    ):
        assert re.search(rf"^ *{name}.* +[0-9]+\.[0-9]+", told, re.M), told
    for peer in (r"nginx \+ Lua", "mitmproxy"):
        assert re.search(rf"^{peer} +([0-9.]+ .*MiB|not installed here)", told, re.M), told


def test_orders_are_as_long_masked_as_the_bench_says() -> None:
    rules = compiled({"$.customer.ssn": "redact", "$.customer.email": HMAC})
    output, report = sent(rules, "ndjson", [orders.PIECE])
    assert len(output) == orders.DELIVERED
    assert report.masked == {"$.customer.ssn": 450, "$.customer.email": 450}
