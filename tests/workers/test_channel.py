"""Messages arrive as they were sent, and what is none of those expected is refused."""

from __future__ import annotations

import fcntl
import resource
import socket
import threading
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from qdynbench import Drive, Knowledge, PauliSum, Problem, Segment
from qdynbench.record.schema import Score
from qdynbench.workers import protocol as to
from qdynbench.workers.channel import BadMessage, Channel, ChannelClosed, pair

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    first, second = (Channel(end) for end in pair())
    yield first, second
    first.close()
    second.close()


def test_messages_arrive_whole_and_in_order(ends: Ends) -> None:
    here, there = ends
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[np.generic]] = {
        "complex": rng.standard_normal((3, 4, 2)).view(np.complex128)[..., 0],
        "more than the socket's buffer": rng.standard_normal((2, 500_000)).astype(np.float32),
        "empty": np.zeros((0, 5)),
        "one number": np.array(3.0),
        "not contiguous": rng.standard_normal((4, 6)).T,
    }

    def send() -> None:
        here.send(to.Piece(3, arrays))
        here.send(to.Done())

    sender = threading.Thread(target=send)
    sender.start()
    piece = there.receive(to.Piece)
    assert piece.start == 3
    assert list(piece.arrays) == list(arrays)
    for name, sent in arrays.items():
        assert piece.arrays[name].dtype == sent.dtype
        np.testing.assert_array_equal(piece.arrays[name], sent)
    assert there.receive(to.Done) == to.Done()
    sender.join()


def test_scores_and_problems_are_read_back(ends: Ends) -> None:
    here, there = ends
    score = Score(metric="skill", step=None, value=float("nan"), low=-np.inf, high=1.0, unit="1", resolution=1e-14)
    here.send(to.Scored([score], ["echo_infidelity"], []))
    found = there.receive(to.Scored)
    assert isinstance(found.scores[0], Score)
    assert found.scores[0].model_dump_json() == score.model_dump_json()
    field = PauliSum.from_terms(2, [(0.5, "X", (0,)), (1.0, "ZZ", (1, 0))])
    for dynamics in (field, Drive((Segment(field, 0.5), Segment(-field, 0.0, kick=0.3))), None):
        problem = Problem(2, np.linspace(0, 1, 5), dynamics, {"h": [0.5, 1.0]}, batch=3, entangled=True)
        here.send(to.Prepare(to.Posed.of(problem), twice=problem.dynamics is None))
        asked = there.receive(to.Prepare)
        assert asked.twice is (dynamics is None)
        read = asked.problem.problem()
        assert read.dynamics == dynamics
        np.testing.assert_array_equal(read.times, problem.times)
        assert (read.size, read.parameters, read.batch, read.entangled) == (2, {"h": [0.5, 1.0]}, 3, True)


def test_the_end_of_the_other_side_is_noticed(ends: Ends) -> None:
    here, there = ends
    there.close()
    with pytest.raises(ChannelClosed):
        here.receive(to.Done)
    with pytest.raises(ChannelClosed):
        here.send(to.Piece(0, {"states": np.zeros(10**6)}))


def test_objects_do_not_travel(ends: Ends) -> None:
    here, _ = ends
    with pytest.raises(TypeError, match="cannot hold a object"):
        here.send(to.Piece(0, {"states": object()}))  # type: ignore[dict-item]  # the mistake


MARK = b"\xc1qdb"
LAYOUT = msgspec.msgpack.encode([])
DONE = msgspec.msgpack.encode(to.Done())


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (msgspec.msgpack.encode(to.FinishCell("curves.npz")), LAYOUT),  # another type
        (msgspec.msgpack.encode({"type": "Gone"}), LAYOUT),  # one that there is not
        (msgspec.msgpack.encode({"type": "Called", "seconds": "soon"}), LAYOUT),
        (msgspec.msgpack.encode({"type": "Called"}), LAYOUT),
        (msgspec.msgpack.encode({"type": "Piece", "start": 0, "arrays": {"states": 0}}), LAYOUT),  # no such array
        (msgspec.msgpack.encode({"type": "Piece", "start": 0, "arrays": {"states": "0"}}), LAYOUT),
        (msgspec.msgpack.encode({"type": "Piece", "start": 0, "arrays": {"states": -1}}), LAYOUT),
        (b"\xc1 is no msgpack", LAYOUT),
        (b"\x91" * 200_000 + b"\x90", LAYOUT),  # deeper than any stack
        (DONE, b"\x91" * 200_000 + b"\x90"),
        (b"", LAYOUT),
        (DONE, b""),
        (DONE, msgspec.msgpack.encode([("object", [1])])),
        (DONE, msgspec.msgpack.encode([("uint32", [1])])),
        (DONE, msgspec.msgpack.encode([("float64", [-1])])),
        (DONE, msgspec.msgpack.encode([("float64", [1 << 40, 1 << 40])])),
        (DONE, msgspec.msgpack.encode([("float64", [1 << 46])])),  # fits into an index, and into no memory
    ],
)
def test_anything_else_is_refused(ends: Ends, body: bytes, layout: bytes) -> None:
    here, there = ends
    here._stream.sendall(MARK + len(body).to_bytes(8, "big") + len(layout).to_bytes(8, "big") + body + layout)
    with pytest.raises(BadMessage, match="an unexpected message came: "):
        there.receive(to.Done | to.Called | to.Piece)


@pytest.mark.parametrize(
    "message",
    [
        to.Prepared(float("nan"), 0.0),
        to.Prepared(-1e13, 0.0),
        to.Timed([], 0.0, 0.0),
        to.Timed([0.0], 0.0, 0.0),
        to.Loaded(0.0, Knowledge.TRAJECTORIES, False, to.Line(""), ("x",) * 1001, (), (), None),
        to.Solved([to.Line("x")] * 1001, to.Line(""), {}),
        to.Peak(-1, None, 0),
        to.Note(to.Line("x")),
    ],
)
def test_what_no_record_takes_is_refused_where_it_comes(ends: Ends, message: to.Message) -> None:
    here, there = ends
    there.longest = 10 if isinstance(message, to.Note) else there.longest
    here.send(message)
    with pytest.raises(BadMessage):
        there.receive(type(message))


@pytest.mark.parametrize("stray", [b"\xff" * 16, bytes(16), b"hello\n", MARK + b"\xff" * 16])
def test_what_is_no_message_is_refused_before_more_of_it_is_read(ends: Ends, stray: bytes) -> None:
    here, there = ends
    here._stream.sendall(stray)
    with pytest.raises(BadMessage, match="something other than a message came"):
        there.receive(to.Done)


def test_a_text_of_a_plugin_is_clean_and_short_at_both_ends(ends: Ends) -> None:
    # Half of a surrogate pair ended the run when the record was written, and 10 MB were printed.
    here, there = ends
    wild = "\x1b[2J\x1b]0;title\x07half \udcff of\x00 it\u202e" + "x" * 10_000_000
    here.send(to.Failed(to.Line("failed"), to.Line(wild), to.Trace(wild)))
    failed = there.receive(to.Failed)
    assert failed.reason.startswith("half   of  it xxx")
    assert (len(failed.reason), len(failed.details)) == (1000, 20_000)
    forged = msgspec.msgpack.encode({"type": "Note", "text": wild.replace("\udcff", "?")})
    here._stream.sendall(MARK + len(forged).to_bytes(8, "big") + len(LAYOUT).to_bytes(8, "big"))
    sender = threading.Thread(target=here._stream.sendall, args=(forged + LAYOUT,))
    sender.start()
    assert there.receive(to.Note).text.startswith("half ? of  it xxx")
    sender.join()


def test_an_array_among_the_parameters_of_a_model_arrives_as_an_array(ends: Ends) -> None:
    # It arrived as its number in the message, and a solver was given wrong parameters without a word.
    here, there = ends
    operator = PauliSum.from_terms(2, [(1.0, "X", (0,))])
    parameters = {"g": np.array([1.5, 2.5]), "h": 0.5}
    here.send(to.Examine(to.Posed.of(Problem(2, np.linspace(0, 1, 3), operator, parameters))))
    found = there.receive(to.Examine).problem.problem().parameters
    assert found is not None
    np.testing.assert_array_equal(found["g"], [1.5, 2.5])
    assert found["h"] == 0.5


def test_the_limit_of_time_holds_within_a_message() -> None:
    # A few stray bytes, and nothing after them, were waited for without end.
    ours, theirs = pair()
    channel = Channel(ours)
    looks: list[int] = []

    def watch() -> None:
        looks.append(len(looks))
        if len(looks) > 3:
            raise TimeoutError

    channel.watched_by(watch)
    theirs.sendall(b"abc")
    with pytest.raises(TimeoutError):
        channel.receive(to.Done)
    channel.close()
    theirs.close()


def test_arrays_beyond_the_limit_are_refused_before_they_are_read(ends: Ends) -> None:
    here, there = ends
    there.largest = 1e3
    here.send(to.Piece(0, {"z": np.zeros((1, 1, 100))}))
    with pytest.raises(BadMessage, match="memory limit"):
        there.receive(to.Piece)


def test_descriptors_may_have_any_number() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 1200:
        pytest.skip("this machine does not allow as many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 1200), limits[1]))
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(fileno=fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, 1100)) as high:
        here, there = Channel(theirs), Channel(high)
        there.watched_by(lambda: None)
        here.send(to.Done())
        assert there.receive(to.Done) == to.Done()
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
