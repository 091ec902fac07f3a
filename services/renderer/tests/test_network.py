from typing import Any, cast

from renderer.cdp import Handler, Session
from renderer.network import NetworkLog


class Recorder:
    """Keeps the handlers, so that a test can play the events."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def on(self, method: str, handler: Handler) -> None:
        self.handlers[method] = handler

    def play(self, method: str, **params: Any) -> None:  # noqa: ANN401  # CDP's own looseness
        self.handlers[f"Network.{method}"](params)


def log() -> tuple[NetworkLog, Recorder]:
    recorder = Recorder()
    network = NetworkLog("main")
    network.listen(cast("Session", recorder))
    return network, recorder


def send(recorder: Recorder, key: str, url: str, kind: str = "Image", loader: str = "L", **more: Any) -> None:  # noqa: ANN401
    request = {"requestId": key, "request": {"url": url}, "type": kind, "loaderId": loader, "frameId": "main", **more}
    recorder.play("requestWillBeSent", **request)


def receive(recorder: Recorder, key: str, status: int, kind: str = "Image", **headers: str) -> None:
    recorder.play("responseReceived", requestId=key, type=kind, response={"status": status, "headers": headers})


def test_the_main_document_and_its_redirects() -> None:
    network, recorder = log()
    send(recorder, "L", "https://shop.test/", "Document")
    send(recorder, "L", "https://shop.test/en", "Document", redirectResponse={"status": 302})
    receive(recorder, "L", 200, "Document")
    assert (network.main.url, network.main.redirects, network.main.status) == ("https://shop.test/en", 1, 200)
    send(recorder, "M", "https://shop.test/de", "Document", loader="M")
    assert (network.main.url, network.main.redirects, network.main.status) == ("https://shop.test/de", 2, 0)


def test_a_frame_inside_is_not_the_main_document() -> None:
    network, recorder = log()
    send(recorder, "L", "https://shop.test/", "Document")
    send(recorder, "F", "https://ads.test/", "Document", loader="F", frameId="child")
    receive(recorder, "F", 500, "Document")
    assert network.main.url == "https://shop.test/"
    assert network.main.status == 0


def test_a_refusal_of_the_way_out_is_read_from_its_header() -> None:
    network, recorder = log()
    send(recorder, "L", "http://10.0.0.1/", "Document")
    receive(recorder, "L", 403, "Document", **{"X-Egress-Refused": "url_forbidden"})
    assert network.main.refusal == "url_forbidden"


def test_bytes_failures_and_insecure_requests_are_counted() -> None:
    network, recorder = log()
    send(recorder, "L", "https://shop.test/", "Document")
    recorder.play("loadingFinished", requestId="L", encodedDataLength=1_000.0)
    send(recorder, "1", "http://shop.test/a.png")
    receive(recorder, "1", 404)
    recorder.play("loadingFinished", requestId="1", encodedDataLength=300.0)
    send(recorder, "2", "https://shop.test/b.js", "Script")
    recorder.play("loadingFailed", requestId="2", errorText="net::ERR_FAILED")
    send(recorder, "3", "https://shop.test/c.js", "Script")
    recorder.play("loadingFailed", requestId="3", errorText="net::ERR_ABORTED", canceled=True)
    send(recorder, "4", "data:image/png;base64,AAAA")
    facts = network.facts("https://shop.test/")
    assert facts.requests == 4
    assert facts.transferred_bytes == 1_300
    assert facts.by_type == {"document": 1_000, "image": 300, "script": 0}
    assert [(failed.url, failed.status, failed.error) for failed in facts.failed] == [
        ("http://shop.test/a.png", 404, ""),
        ("https://shop.test/b.js", 0, "net::ERR_FAILED"),
    ]
    assert [insecure.url for insecure in facts.insecure] == ["http://shop.test/a.png"]


def test_quiet_is_when_nothing_is_open_except_what_stays_open() -> None:
    network, recorder = log()
    send(recorder, "1", "https://shop.test/a.png")
    send(recorder, "2", "https://shop.test/events", "EventSource")
    assert network.quiet_s() == 0
    assert network.pending() == ["https://shop.test/a.png"]
    recorder.play("loadingFinished", requestId="1", encodedDataLength=1.0)
    assert network.quiet_s() > 0
    assert network.pending() == []
    send(recorder, "3", "https://shop.test/never")
    network.give_up()
    assert network.pending() == []
