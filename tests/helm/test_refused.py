"""What helm refuses before anything is made, and what it says of it."""

import pytest

from tests.helm.drawing import refused


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("gateway.enabld=true", "gateway: Additional property enabld is not allowed"),
        ("gatway.enabled=true", "(root): Additional property gatway is not allowed"),
        ("ports.listen=70000", "ports.listen: Must be less than or equal to 65535"),
        ("sidecar.form=nativ", 'sidecar.form must be one of the following: "auto", "native"'),
        ("image.digest=1.2", "image.digest: Does not match pattern"),
        ("store.url=http://r", "store.url: Does not match pattern"),
        ("upstreams.gateway.urll=x", "upstreams.gateway: Additional property urll is not allowed"),
        ("upstreams.a.protocol=toolz", "upstreams.a.protocol must be one of the following:"),
        ("settings.limits.headrs=5", "settings.limits: Additional property headrs is not allowed"),
        ("settings.listen=:80", "settings: Additional property listen is not allowed"),
        (r"policies.a\.yaml.budgets[0].nam=x", "policies.a.yaml.budgets.0: name is required"),
        ("policies.mine=x", 'policies: Property name of "mine" does not match'),
        ("agent.variables.BASE=openai", "agent.variables.BASE: Does not match pattern '^(/.*)?$'"),
        ("gateway.resources.limit.cpu=1", "gateway.resources: Additional property limit"),
    ],
)
def test_a_value_that_there_is_not(option, why):
    """The schema names the place, and what is wrong there."""
    assert why in refused(f"--set={option}")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("gateway.enabled=true,gateway.replicas=2", "more than one pod, and no store"),
        ("gateway.enabled=true,gateway.autoscaling.enabled=true", "store.existingSecret or"),
        ("redis.enabled=true", "kubectl create secret generic payments-holdfast-redis"),
        ("redis.enabled=true,redis.existingSecret=r,store.url=redis://x", "Leave one of them."),
    ],
)
def test_values_that_contradict_each_other(options, why):
    """Says what to do instead."""
    assert why in refused(f"--set={options}")
