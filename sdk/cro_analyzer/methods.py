"""Flows as methods: the same function becomes a blocking method of one client and an awaitable one of the other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import update_wrapper
from typing import Generic, ParamSpec, Protocol, Self, TypeVar, overload

from cro_analyzer.driving import AsyncConversation, Conversation
from cro_analyzer.steps import Flow, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Talks(Protocol):
    """Whose methods block."""

    def conversation(self) -> Conversation:
        """Begin a conversation."""
        ...


class TalksLater(Protocol):
    """Whose methods are awaited."""

    def conversation(self) -> AsyncConversation:
        """Begin a conversation."""
        ...


class Method(Generic[P, T]):
    """A flow that is run to its end."""

    def __init__(self, flow: Callable[P, Flow[T]]) -> None:
        """Wrap it."""
        self._flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: Talks, kind: type) -> Callable[P, T]: ...
    def __get__(self, owner: Talks | None, kind: type) -> Self | Callable[P, T]:
        """Bind it to a client."""
        if owner is None:
            return self

        def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            return owner.conversation().run(self._flow(*args, **kwargs))

        return update_wrapper(bound, self._flow)


class Iterating(Generic[P, T]):
    """A flow whose items are given one by one."""

    def __init__(self, flow: Callable[P, Stream[T]]) -> None:
        """Wrap it."""
        self._flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: Talks, kind: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, owner: Talks | None, kind: type) -> Self | Callable[P, Iterator[T]]:
        """Bind it to a client."""
        if owner is None:
            return self

        def bound(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return owner.conversation().iterate(self._flow(*args, **kwargs))

        return update_wrapper(bound, self._flow)


class AsyncMethod(Generic[P, T]):
    """A flow that is awaited."""

    def __init__(self, flow: Callable[P, Flow[T]]) -> None:
        """Wrap it."""
        self._flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: TalksLater, kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, owner: TalksLater | None, kind: type) -> Self | Callable[P, Awaitable[T]]:
        """Bind it to a client."""
        if owner is None:
            return self

        async def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            return await owner.conversation().run(self._flow(*args, **kwargs))

        return update_wrapper(bound, self._flow)


class AsyncIterating(Generic[P, T]):
    """A flow whose items are given one by one, each awaited."""

    def __init__(self, flow: Callable[P, Stream[T]]) -> None:
        """Wrap it."""
        self._flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: TalksLater, kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, owner: TalksLater | None, kind: type) -> Self | Callable[P, AsyncIterator[T]]:
        """Bind it to a client."""
        if owner is None:
            return self

        def bound(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return owner.conversation().iterate(self._flow(*args, **kwargs))

        return update_wrapper(bound, self._flow)
