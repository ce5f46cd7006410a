"""A model repeats a step that did not help."""

from proxy.lab.demo.play import Play

_MOST = 20
_SHOWN = 60


async def loop(play: Play) -> None:
    """Until it is refused."""
    play.rule("searches")
    play.tell("agent", "calls search_services, then the same again, and again")
    before = play.gateway.calls.total
    answers = [await play.call("search_services", query="translation")]
    while answers[-1].went and len(answers) < _MOST:
        answers.append(await play.call("search_services", query="translation"))
    asked, refused = play.gateway.calls.total - before, answers[-1]
    noted = next((n for n, each in enumerate(answers, 1) if each.said("loop")), 0)
    statuses = ", ".join(str(each.status) for each in play.heard(before))
    bodies = len({each.raw for each in answers[:-1]})
    play.tell("gateway", f"answers {statuses}; {bodies} body, again and again")
    line = answers[noted - 1].said("loop")
    play.tell("holdfast", f"call {noted} passes with a warning, holdfast-loop: {line}")
    play.tell("holdfast", f"call {len(answers)} is refused: {refused.told()}")
    answered = str(refused.body.get("answered") or "")
    play.tell("model", f"is told what it knows already: {answered[:_SHOWN]}...")
    over = refused.said("reason") == "loop_detected" and asked == len(answers) - 1
    play.expect(f"{asked} calls ran, call {len(answers)} did not", over)
    known = bool(answered) and answers[0].raw.decode().startswith(answered.rstrip("…"))
    play.expect("what it is told is how the gateway's answer begins", known)
    other = await play.call("search_services", query="summary")
    play.expect(f"another question is no loop: {other.status}", other.went)
