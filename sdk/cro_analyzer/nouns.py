"""What a client has for each noun of the API: `client.analyses.create(…)`, blocking or awaited."""

from collections.abc import Callable

from cro_analyzer.driving import AsyncConversation, Conversation
from cro_analyzer.flows import analyses, batches, captures, keys, webhooks
from cro_analyzer.methods import AsyncIterating, AsyncMethod, Iterating, Method


class _Noun:
    def __init__(self, talk: Callable[[], Conversation]) -> None:
        self.conversation = talk


class Analyses(_Noun):
    """Pages, or pictures of them, judged."""

    create = Method(analyses.create)
    get = Method(analyses.get)
    wait = Method(analyses.wait)
    cancel = Method(analyses.cancel)
    delete = Method(analyses.delete)
    report = Method(analyses.report)
    document = Method(analyses.document)
    compare = Method(analyses.compare)
    events = Iterating(analyses.events)
    list = Iterating(analyses.listed)


class Captures(_Noun):
    """Pages as pictures and documents."""

    create = Method(captures.create)
    get = Method(captures.get)
    wait = Method(captures.wait)
    cancel = Method(captures.cancel)
    delete = Method(captures.delete)
    content = Method(captures.content)
    events = Iterating(captures.events)
    list = Iterating(captures.listed)


class Batches(_Noun):
    """Up to 10,000 URLs in one call."""

    create = Method(batches.create)
    get = Method(batches.get)
    wait = Method(batches.wait)
    cancel = Method(batches.cancel)
    pause = Method(batches.pause)
    resume = Method(batches.resume)
    retry_failed = Method(batches.retry_failed)
    delete = Method(batches.delete)
    look = Method(batches.look)
    results = Iterating(batches.results)
    rejected = Iterating(batches.rejected)
    set_aside = Iterating(batches.set_aside)
    follow = Iterating(batches.follow)
    events = Iterating(batches.events)
    download = Iterating(batches.download)
    list = Iterating(batches.listed)


class Keys(_Noun):
    """The account's API keys."""

    create = Method(keys.create)
    get = Method(keys.get)
    rotate = Method(keys.rotate)
    revoke = Method(keys.revoke)
    list = Iterating(keys.listed)


class Webhooks(_Noun):
    """Endpoints that are told what happens."""

    create = Method(webhooks.create)
    get = Method(webhooks.get)
    change = Method(webhooks.change)
    delete = Method(webhooks.delete)
    rotate = Method(webhooks.rotate)
    test = Method(webhooks.test)
    replay = Method(webhooks.replay)
    replay_since = Method(webhooks.replay_since)
    deliveries = Iterating(webhooks.deliveries)
    list = Iterating(webhooks.listed)


class _AsyncNoun:
    def __init__(self, talk: Callable[[], AsyncConversation]) -> None:
        self.conversation = talk


class AsyncAnalyses(_AsyncNoun):
    """Pages, or pictures of them, judged."""

    create = AsyncMethod(analyses.create)
    get = AsyncMethod(analyses.get)
    wait = AsyncMethod(analyses.wait)
    cancel = AsyncMethod(analyses.cancel)
    delete = AsyncMethod(analyses.delete)
    report = AsyncMethod(analyses.report)
    document = AsyncMethod(analyses.document)
    compare = AsyncMethod(analyses.compare)
    events = AsyncIterating(analyses.events)
    list = AsyncIterating(analyses.listed)


class AsyncCaptures(_AsyncNoun):
    """Pages as pictures and documents."""

    create = AsyncMethod(captures.create)
    get = AsyncMethod(captures.get)
    wait = AsyncMethod(captures.wait)
    cancel = AsyncMethod(captures.cancel)
    delete = AsyncMethod(captures.delete)
    content = AsyncMethod(captures.content)
    events = AsyncIterating(captures.events)
    list = AsyncIterating(captures.listed)


class AsyncBatches(_AsyncNoun):
    """Up to 10,000 URLs in one call."""

    create = AsyncMethod(batches.create)
    get = AsyncMethod(batches.get)
    wait = AsyncMethod(batches.wait)
    cancel = AsyncMethod(batches.cancel)
    pause = AsyncMethod(batches.pause)
    resume = AsyncMethod(batches.resume)
    retry_failed = AsyncMethod(batches.retry_failed)
    delete = AsyncMethod(batches.delete)
    look = AsyncMethod(batches.look)
    results = AsyncIterating(batches.results)
    rejected = AsyncIterating(batches.rejected)
    set_aside = AsyncIterating(batches.set_aside)
    follow = AsyncIterating(batches.follow)
    events = AsyncIterating(batches.events)
    download = AsyncIterating(batches.download)
    list = AsyncIterating(batches.listed)


class AsyncKeys(_AsyncNoun):
    """The account's API keys."""

    create = AsyncMethod(keys.create)
    get = AsyncMethod(keys.get)
    rotate = AsyncMethod(keys.rotate)
    revoke = AsyncMethod(keys.revoke)
    list = AsyncIterating(keys.listed)


class AsyncWebhooks(_AsyncNoun):
    """Endpoints that are told what happens."""

    create = AsyncMethod(webhooks.create)
    get = AsyncMethod(webhooks.get)
    change = AsyncMethod(webhooks.change)
    delete = AsyncMethod(webhooks.delete)
    rotate = AsyncMethod(webhooks.rotate)
    test = AsyncMethod(webhooks.test)
    replay = AsyncMethod(webhooks.replay)
    replay_since = AsyncMethod(webhooks.replay_since)
    deliveries = AsyncIterating(webhooks.deliveries)
    list = AsyncIterating(webhooks.listed)
