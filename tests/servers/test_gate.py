"""The gate names who may be beyond a limit, and nobody else."""

from fedns.dns import rate
from fedns.servers import batch, prompt
from tests.servers import forms


@forms.EACH
def test_sources_are_counted_by_network(form: prompt.Form) -> None:
    limiter = rate.Limiter(rate.Limits(errors=20, exempt=("192.0.2.0/24",)), 1)
    frames = forms.frames()
    gate = form.gate.Gate(limiter, frames, 7)
    for place, address in enumerate([(192, 0, 2, 1), (10, 0, 0, 1), (10, 0, 0, 2), (10, 0, 1, 1)]):
        frames.names[place * batch.NAME + 4 : place * batch.NAME + 8] = bytes(address)
    for _ in range(5):
        assert gate.count(4, 1) is None
    loud = gate.count(4, 2)
    assert loud == [int.from_bytes(bytes((10, 0, 0, last)), "little") for last in (1, 2)]
    limiter.watch(loud, 2)
    assert len(limiter) == 1 and gate.count(1, 3) == []
    assert gate.count(4, 1 + rate.SECOND) == []
    assert gate.count(4, 3 + 2 * rate.SECOND) is None  # quiet since


@forms.EACH
def test_new_limits_hold_from_the_next_batch_on(form: prompt.Form) -> None:
    limiter = rate.Limiter(rate.Limits(exempt=("0.0.0.0/0",)), 1)
    gate = form.gate.Gate(limiter, forms.frames(), 7)
    assert gate.count(4, 1) is None
    limiter.renew(rate.Limits(answers=2, exempt=()))
    gate.renew()
    assert gate.count(1, 2) is None
    assert gate.count(1, 2) == [0]
