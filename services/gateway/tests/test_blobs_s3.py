"""What S3 alone has: its settings, the life of its URLs, a network between us and it, the bucket's own rules."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import httpx2
import pytest
from botocore.exceptions import ClientError
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from pydantic import SecretStr
from typer.testing import CliRunner

from contracts.errors import ErrorCode
from gateway.blobs import bucket, commands, s3
from gateway.blobs.address import Address, parse
from gateway.blobs.base import new_key
from gateway.blobs.connecting import open_bucket
from gateway.blobs.files import FileBlobs
from gateway.blobs.opening import open_store
from gateway.blobs.s3 import S3Blobs
from gateway.blobs.threads import AwayError, Threads
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError
from tests.fixtures.s3 import ACCESS, SECRET, S3Server
from tests.fixtures.toxics import Toxic, Toxics, poisoned

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
KEY = new_key("local", "an_1", 1, "image/jpeg")


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def settings(url: str, **more: Any) -> GatewaySettings:  # noqa: ANN401  # any setting
    keys = {"aws_access_key_id": SecretStr(ACCESS), "aws_secret_access_key": SecretStr(SECRET)}
    return GatewaySettings(**{"blobs_url": url, **keys, **more})


@asynccontextmanager
async def opened(server: S3Server, *, via: str = "", **more: Any) -> AsyncIterator[S3Blobs]:  # noqa: ANN401  # any setting
    blobs = open_bucket(settings(server.environment(server.new_bucket(), via=via)["BLOBS_URL"], **more))
    try:
        yield blobs
    finally:
        await blobs.aclose()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


# --- settings --------------------------------------------------------------------------------------------------------


def test_an_address_is_read() -> None:
    assert parse("s3://shots") == Address("shots")
    assert parse("s3://my.shots/a/b/?region=eu-west-1") == Address("my.shots", "a/b/", "eu-west-1", addressing="path")
    assert parse("s3://shots/art?endpoint=http://s3:7070/&public=https://files.test") == Address(
        "shots", "art/", "us-east-1", "http://s3:7070", "https://files.test", "path"
    )
    assert parse("s3://shots?endpoint=http://s3:7070&addressing=virtual").addressing == "virtual"


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://UPPER",
        "s3://key:hunter2@shots",
        "s3://shots/a b",
        "s3://shots/../x",
        "s3://shots?endpoint=s3:7070",
        "s3://shots?endpoint=http://key:hunter2@s3:7070",
        "s3://shots?endpoint=http://s3/path",
        "s3://shots?secret=hunter2",
        "s3://shots?addressing=both",
        "file:data",
    ],
)
def test_what_cannot_work_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="BLOBS_URL") as caught:
        open_bucket(settings(url))
    assert "hunter2" not in str(caught.value)


def test_without_credentials_or_a_region_it_does_not_start() -> None:
    with pytest.raises(ValueError, match="no credentials"):
        open_store(GatewaySettings(blobs_url="s3://shots?region=eu-west-1"))
    with pytest.raises(ValueError, match="region"):
        open_store(settings("s3://shots"))


def test_credentials_may_be_mounted_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aws_access_key_id").write_text("MOUNTED")
    (tmp_path / "aws_secret_access_key").write_text("secret")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    blobs = open_bucket(GatewaySettings(blobs_url="s3://shots?region=eu-west-1"))
    url = blobs.download_slot(KEY, MINUTE).url
    assert url.startswith("https://shots.s3.eu-west-1.amazonaws.com/local/an_1/1/")
    assert parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].startswith("MOUNTED/")
    assert "secret" not in repr(blobs)


def test_other_urls_are_files(tmp_path: Path) -> None:
    assert isinstance(open_store(GatewaySettings(blobs_url=f"file://{tmp_path}")), FileBlobs)
    with pytest.raises(ValueError, match="CDN_URL needs a bucket"):
        open_store(GatewaySettings(blobs_url=f"file://{tmp_path}", cdn_url="https://cdn.test"))


# --- signatures ------------------------------------------------------------------------------------------------------


class Clock:
    """The time at which URLs are signed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.late = timedelta()
        monkeypatch.setattr(botocore.auth, "get_current_datetime", self.now)

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) - self.late


async def test_urls_die(versity_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with opened(versity_server) as blobs, httpx2.AsyncClient(trust_env=False) as http:
        await blobs.write(KEY, pieces(b"secret"))
        clock.late = timedelta(minutes=2)
        dead = [slot(KEY, MINUTE) for slot in (blobs.download_slot, blobs.upload_slot)]
        clock.late = timedelta(seconds=30)
        alive = blobs.download_slot(KEY, MINUTE)
        assert [(await http.request(one.method, one.url, headers=one.headers)).status_code for one in dead] == [403] * 2
        assert (await http.get(alive.url)).content == b"secret"


async def test_a_slot_cannot_be_used_to_overwrite(versity_server: S3Server) -> None:
    """The condition is signed: who leaves it out has no signature."""
    async with opened(versity_server) as blobs, httpx2.AsyncClient(trust_env=False) as http:
        slot = blobs.upload_slot(KEY, MINUTE)
        headers = {name: value for name, value in slot.headers.items() if name != "if-none-match"}
        assert (await http.put(slot.url, content=b"x", headers=headers)).status_code == 403
        longer = slot.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")
        assert longer != slot.url
        assert (await http.put(longer, content=b"x", headers=slot.headers)).status_code == 403
        assert await blobs.size(KEY) is None


async def test_links_lead_to_the_public_address_and_live_for_minutes(moto_server: S3Server) -> None:
    url = f"s3://shots?endpoint={moto_server.origin}&public=https://files.test"
    blobs = open_bucket(settings(url))
    link = urlsplit(blobs.link(KEY, timedelta(days=7)))
    assert (link.scheme, link.netloc) == ("https", "files.test")
    assert parse_qs(link.query)["X-Amz-Expires"] == ["900"]
    assert blobs.upload_slot(KEY, MINUTE).url.startswith(moto_server.origin)
    assert blobs.longest_link == timedelta(minutes=15)
    await blobs.aclose()


# --- the distribution ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def with_cdn(folder: Path, key: bytes, **more: str) -> GatewaySettings:
    file = folder / "cdn.pem"
    file.write_bytes(key)
    cdn = {"cdn_url": "https://cdn.test", "cdn_key_id": "K2", "cdn_private_key_file": str(file)}
    return settings("s3://shots/art?region=eu-west-1", **{**cdn, **more})


async def test_links_of_the_distribution_are_signed_as_cloudfront_wants(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    blobs = open_bucket(with_cdn(tmp_path, pem(rsa_key)))
    begun = datetime.now(UTC).timestamp()
    link = blobs.link(KEY, timedelta(hours=1))
    query = parse_qs(urlsplit(link).query)
    expires = int(query["Expires"][0])
    assert begun + 14 * 60 < expires <= begun + 15 * 60 + 2

    plain = f"https://cdn.test/art/{KEY}"
    theirs = CloudFrontSigner("K2", lambda text: rsa_key.sign(text, PKCS1v15(), SHA1()))
    assert link == theirs.generate_presigned_url(plain, date_less_than=datetime.fromtimestamp(expires, UTC))
    # Slots go to the bucket itself all the same.
    assert urlsplit(blobs.download_slot(KEY, MINUTE).url).hostname == "shots.s3.eu-west-1.amazonaws.com"
    await blobs.aclose()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cdn_url": "http://cdn.test"}, "CDN_URL must be an origin"),
        ({"cdn_url": "https://cdn.test/art"}, "CDN_URL must be an origin"),
        ({"cdn_key_id": ""}, "CDN_KEY_ID"),
        ({"cdn_private_key_file": ""}, "CDN_PRIVATE_KEY_FILE"),
        ({"cdn_private_key_file": "/nowhere.pem"}, "must be a PEM file"),
    ],
)
def test_a_distribution_that_cannot_work_is_refused(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        open_bucket(with_cdn(tmp_path, pem(rsa_key), **changes))


def test_only_rsa_keys_sign_links(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RSA"):
        open_bucket(with_cdn(tmp_path, pem(ec.generate_private_key(ec.SECP256R1()))))
    with pytest.raises(ValueError, match="must be a PEM file"):
        open_bucket(with_cdn(tmp_path, b"-----BEGIN NOTHING-----"))


# --- the network between ---------------------------------------------------------------------------------------------


@pytest.fixture
def toxics(versity_server: S3Server) -> Iterator[Toxics]:
    with poisoned(versity_server.origin) as toxics:
        yield toxics


async def test_a_busy_moment_is_nobodys_concern(versity_server: S3Server, toxics: Toxics) -> None:
    async with opened(versity_server, via=toxics.origin) as blobs:
        toxics.poison(Toxic.BUSY, count=1)
        assert await blobs.write(KEY, pieces(b"pixels")) == 6
        toxics.poison(Toxic.RESET, count=1)
        assert await blobs.size(KEY) == 6
        toxics.poison(Toxic.CUT, "GET", count=1)
        assert await blobs.read(KEY) == b"pixels"


async def test_a_write_whose_answer_was_lost_has_happened(versity_server: S3Server, toxics: Toxics) -> None:
    async with opened(versity_server, via=toxics.origin) as blobs:
        toxics.poison(Toxic.LOST, "PUT", count=1)
        assert await blobs.write(KEY, pieces(b"pixels")) == 6
        assert toxics.seen.count("PUT") == 2
        toxics.poison(Toxic.BUSY, "PUT", count=1)
        with pytest.raises(ServiceError) as caught:
            await blobs.write(KEY, pieces(b"others"))
        assert caught.value.code is ErrorCode.CONFLICT
        assert await blobs.read(KEY) == b"pixels"


@pytest.mark.parametrize("toxic", [Toxic.FLIP, Toxic.SHORT])
async def test_what_is_spoilt_on_its_way_is_not_kept(versity_server: S3Server, toxics: Toxics, toxic: Toxic) -> None:
    async with opened(versity_server, via=toxics.origin) as blobs:
        toxics.poison(toxic, "PUT")
        if toxic is Toxic.FLIP:
            with pytest.raises(ServiceError) as caught:
                await blobs.write(KEY, pieces(b"pixels"))
            assert caught.value.code is ErrorCode.STORAGE_FAILED
        else:
            await blobs.write(KEY, pieces(b"pixels"))
        assert await blobs.size(KEY) is None


async def test_answers_that_are_always_cut_are_a_failure(versity_server: S3Server, toxics: Toxics) -> None:
    async with opened(versity_server, via=toxics.origin) as blobs:
        await blobs.write(KEY, pieces(b"pixels" * 1000))
        toxics.poison(Toxic.CUT, "GET")
        with pytest.raises(ServiceError) as caught:
            await blobs.read(KEY)
        assert caught.value.code is ErrorCode.STORAGE_FAILED


async def test_a_store_that_hangs_costs_three_callers_their_time(
    versity_server: S3Server, toxics: Toxics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_LOOK", timedelta(milliseconds=50))
    async with opened(versity_server, via=toxics.origin) as blobs:
        toxics.poison(Toxic.HANG)
        for _ in range(6):
            with pytest.raises(ServiceError) as caught:
                await blobs.size(KEY)
            assert caught.value.code is ErrorCode.STORAGE_FAILED
            assert caught.value.retry_after_s
        assert len(toxics.seen) == 3
        assert not await blobs.alive()
        toxics.heal()
        monkeypatch.setattr(s3, "_LOOK", timedelta(seconds=10))
        async with asyncio.timeout(90):
            while not await blobs.alive():  # noqa: ASYNC110  # it is asked, and says nothing by itself
                await asyncio.sleep(0.05)  # the breaker's own pause
        assert await blobs.size(KEY) is None


async def test_wrong_credentials_are_the_stores_failure(versity_server: S3Server) -> None:
    async with opened(versity_server, aws_secret_access_key=SecretStr("wrong")) as blobs:
        with pytest.raises(ServiceError) as caught:
            await blobs.read(KEY)
        assert caught.value.code is ErrorCode.STORAGE_FAILED
        assert "wrong" not in caught.value.reason


async def test_no_more_calls_run_at_once_than_there_are_threads() -> None:
    threads = Threads(2, "test", lambda _: True)
    together = threading.Barrier(2)
    lock = threading.Lock()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)
        with lock:
            running -= 1

    await asyncio.gather(*(threads.run(work, MINUTE) for _ in range(8)))
    assert most == 2
    threads.close()


async def test_what_is_an_answer_is_no_strike() -> None:
    threads = Threads(1, "test", lambda error: isinstance(error, OSError))

    def raising(error: Exception) -> None:
        raise error

    for _ in range(5):
        with pytest.raises(KeyError):
            await threads.run(lambda: raising(KeyError()), MINUTE)
    assert not threads.away
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await threads.run(lambda: raising(ConnectionError()), MINUTE)
    with pytest.raises(AwayError):
        await threads.run(lambda: None, MINUTE)
    threads.close()


# --- the bucket ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("RETENTION_DAYS", "30")
    monkeypatch.setenv("RETENTION_DAYS_BY_TENANT", '{"ten_1": 90}')
    return CliRunner()


def environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_a_bucket_is_made_ready_again_and_again(
    moto_server: S3Server, command_line: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, moto_server.environment("made-by-setup"))
    for _ in range(2):
        done = command_line.invoke(commands.app, ["setup", "--create"])
        assert done.exit_code == 0, done.output
        assert done.output.splitlines() == [
            "bucket: done",
            "public access block: done",
            "no CORS: done",
            "lifecycle, 97 days: done",
        ]
    client = open_bucket(GatewaySettings()).client
    theirs: Any = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
    found = client.get_bucket_lifecycle_configuration(Bucket="made-by-setup")["Rules"]
    client.put_bucket_lifecycle_configuration(
        Bucket="made-by-setup", LifecycleConfiguration={"Rules": [theirs, *found]}
    )
    assert command_line.invoke(commands.app, ["setup"]).exit_code == 0

    rules = client.get_bucket_lifecycle_configuration(Bucket="made-by-setup")["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", "cro-expire", "cro-markers"]
    assert rules[1]["Filter"] == {"Prefix": "art/"}
    assert rules[1]["Expiration"]["Days"] == 97
    assert rules[1]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    block = client.get_public_access_block(Bucket="made-by-setup")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        client.get_bucket_cors(Bucket="made-by-setup")


def test_rules_for_browsers_are_taken_away(moto_server: S3Server) -> None:
    name = moto_server.new_bucket()
    client = boto3.client(
        "s3",
        endpoint_url=moto_server.origin,
        region_name="us-east-1",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
    )
    cors: Any = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    client.put_bucket_cors(Bucket=name, CORSConfiguration=cors)
    bucket.set_up(client, Address(name), 37, create=False)
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        client.get_bucket_cors(Bucket=name)


def test_a_server_without_lifecycle_is_used_all_the_same(
    versity_server: S3Server, command_line: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, versity_server.environment("made-by-setup"))
    for _ in range(2):
        done = command_line.invoke(commands.app, ["setup", "--create"])
        assert done.exit_code == 0, done.output
        assert "lifecycle, 97 days: this server does not have it" in done.output


def test_a_bucket_that_is_not_there_ends_with_1(
    moto_server: S3Server, command_line: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, moto_server.environment("nowhere-at-all"))
    done = command_line.invoke(commands.app, ["setup"])
    assert done.exit_code == 1
    assert "bucket: the store refused (404)" in done.stderr


def test_the_rules_are_what_s3_takes() -> None:
    assert json.loads(json.dumps(bucket.rules("art/", 37)))[0]["Expiration"] == {"Days": 37}


def test_nothing_is_left_open(moto_server: S3Server) -> None:
    async def use() -> None:
        async with opened(moto_server) as blobs:
            await blobs.write(KEY, pieces(b"x"))

    asyncio.run(use())
    for thread in [one for one in threading.enumerate() if one.name.startswith("blobs")]:
        thread.join(10)
        assert not thread.is_alive()
