"""What is played, in the order of the play: one file an act."""

from proxy.lab.demo.approval import approval
from proxy.lab.demo.breaker import breaker
from proxy.lab.demo.budget import budget
from proxy.lab.demo.changes import changes
from proxy.lab.demo.journal import journal
from proxy.lab.demo.kill import kill
from proxy.lab.demo.loop import loop
from proxy.lab.demo.play import Act
from proxy.lab.demo.retry import retry
from proxy.lab.demo.two_readings import two_readings

ACTS: tuple[Act, ...] = (
    Act("Retry: sent again where that does no harm, and nowhere else", retry),
    Act("Breaker: what keeps failing is left alone, and asked again later", breaker),
    Act("Budget: a cap is reached to the cent, and not passed", budget),
    Act("Loop: an agent that repeats itself is stopped, and told what it knows", loop),
    Act("Approval: a person sees the exact call, and it runs once", approval),
    Act("Kill: everything of an agent stops, what runs included", kill),
    Act("Attack: one body, two tools", two_readings),
    Act("Policies: changed while it runs", changes),
    Act("Journal: what happened stands, and whoever changes it is found out", journal),
)
