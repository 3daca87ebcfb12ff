from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import date

import pytest
from tokenizers import Tokenizer

from llm_banking.nlu.artifact import TOKENIZER_FILE
from llm_banking.nlu.reader import MAX_TOKENS, Reader, Reading, TextInvalidError
from llm_banking.nlu.service import ReadingBusyError, ReadingService
from llm_banking.nlu.slots import Prefer

TEXTS = ("where is my new card", "send 20 pounds to Maria tomorrow", "how do I boil an egg", "balance", "close it")


class GatedReader(Reader):
    """The shipped model behind a gate, counting how many texts are at it at once."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.artifact)
        self.gate = threading.Event()
        self.now = 0
        self.most = 0
        self._count = threading.Lock()

    def read(self, text: str, *, today: date | None = None, prefer: Prefer | None = None) -> Reading:
        with self._count:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.gate.wait(20)
        try:
            return super().read(text, today=today, prefer=prefer)
        finally:
            with self._count:
                self.now -= 1


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - the service has no event for tests
            await asyncio.sleep(0.001)


async def until_inside(service: ReadingService, texts: int) -> None:
    await until(lambda: service._inside == texts)


async def test_read_together_as_read_alone(reader: Reader) -> None:
    service, today = ReadingService(reader, max_running=3), date(2026, 1, 5)
    together = await asyncio.gather(*(service.read(text, today=today) for text in TEXTS * 4))
    for text, reading in zip(TEXTS * 4, together, strict=True):
        alone = reader.read(text, today=today)
        assert reading == alone
        assert reading.embedding.tobytes() == alone.embedding.tobytes()


async def test_no_more_run_at_once_than_may_and_the_rest_wait(reader: Reader) -> None:
    gated = GatedReader(reader)
    service = ReadingService(gated, max_running=2, max_waiting=3)
    tasks = [asyncio.create_task(service.read(text)) for text in TEXTS]
    await until(lambda: gated.now == 2 and service._inside == 5)
    gated.gate.set()
    assert [reading.text for reading in await asyncio.gather(*tasks)] == list(TEXTS)
    assert gated.most == 2


async def test_one_too_many_is_refused_at_once_and_there_is_room_again_after(reader: Reader) -> None:
    gated, refused = GatedReader(reader), list[int]()
    service = ReadingService(gated, max_running=1, max_waiting=1, on_refusal=lambda: refused.append(1))
    tasks = [asyncio.create_task(service.read(text)) for text in TEXTS[:2]]
    await until_inside(service, 2)
    with pytest.raises(ReadingBusyError, match="again"):
        await service.read("balance")
    assert refused == [1]
    gated.gate.set()
    await asyncio.gather(*tasks)
    assert (await service.read("balance")).text == "balance"
    assert refused == [1]


async def test_who_hangs_up_while_waiting_gives_the_place_back(reader: Reader) -> None:
    gated = GatedReader(reader)
    service = ReadingService(gated, max_running=1, max_waiting=1)
    running = asyncio.create_task(service.read("balance"))
    await until_inside(service, 1)
    waiting = asyncio.create_task(service.read("close it"))
    await until_inside(service, 2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    another = asyncio.create_task(service.read("where is my new card"))
    await until_inside(service, 2)
    gated.gate.set()
    assert (await running).text == "balance"
    assert (await another).text == "where is my new card"


async def test_the_event_loop_goes_on_while_a_text_is_read(reader: Reader) -> None:
    gated = GatedReader(reader)
    service = ReadingService(gated, max_running=1)
    reading = asyncio.create_task(service.read("balance"))
    await until_inside(service, 1)
    started = time.monotonic()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not reading.done()
    assert time.monotonic() - started < 5
    gated.gate.set()
    await reading


async def test_a_text_that_cannot_be_read_says_so_and_gives_its_place_back(reader: Reader) -> None:
    service = ReadingService(reader, max_running=1, max_waiting=0)
    for _ in range(3):
        with pytest.raises(TextInvalidError):
            await service.read(" \n")
    assert (await service.read("balance")).text == "balance"


def test_the_warm_up_takes_short_texts_and_the_longest(reader: Reader) -> None:
    read = list[str]()

    class NotingReader(Reader):
        def read(self, text: str, *, today: date | None = None, prefer: Prefer | None = None) -> Reading:
            read.append(text)
            return super().read(text, today=today, prefer=prefer)

    assert ReadingService(NotingReader(reader.artifact)).warm_up() > 0
    tokenizer = Tokenizer.from_file(str(reader.artifact.folder / TOKENIZER_FILE))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = [len(tokenizer.encode(text).ids) for text in read]
    assert min(lengths) < 12
    assert max(lengths) > MAX_TOKENS
