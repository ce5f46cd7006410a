"""What helm refuses before anything is made, and what it says of it."""

import pytest

from tests.helm.drawing import CHART, helm, refused

SCALED = "gateway.enabled=true,gateway.autoscaling.enabled=true,store.url=redis://r:6379"


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
        ("tokens.existingSecret=My_Secret", "tokens.existingSecret: Does not match pattern"),
        (r"store.existingSecret=a\, b: c", "store.existingSecret: Does not match pattern"),
        ("securityContext.runAsuser=1", "securityContext: Additional property runAsuser"),
        ("securityContext.privileged=true", "securityContext.privileged does not match: false"),
        ("networkPolicy=null", "(root): networkPolicy is required"),
        ("securityContext=null", "(root): securityContext is required"),
        ("settings=null", "(root): settings is required"),
        ("monitoring.rules=null", "monitoring: rules is required"),
        (
            "image.repository=registry.example/holdfast:1",
            "image.repository: Does not match pattern",
        ),
        ("image.repository=holdfast:1", "image.repository: Does not match pattern"),
        ("image.tag=sha256:a", "image.tag: Does not match pattern"),
        ("gateway.resources.limits.memory=lots", "gateway.resources.limits.memory: Does not match"),
        ("ports.address=::", "ports.address: Does not match pattern"),
        ("fullnameOverride=my.agents", "fullnameOverride: Does not match pattern"),
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
        ("store.url=redis://:a@r:6379", "store.url holds a password, and would stand in"),
        ("ports.listen=8701", "ports.listen and ports.admin are both 8701"),
        ("ports.address=127.0.0.1", "ports.address is 127.0.0.1, a loopback"),
        ("gateway.enabled=true,gateway.service.type=NodePort", "Say settings.identity: [key]"),
        ("networkPolicy.confined.a=b", "nothing would be closed. Set gateway.enabled;"),
        ("gateway.enabled=true,networkPolicy.sidecars.enabled=true", "networkPolicy.confined for"),
        ("upstreams.openai.auth.bearer=${file:/run/secrets/holdfast/credentials/k}", "KEY=…; then"),
        ("upstreams.gateway=null", "none of anthropic, openai is at /"),
        ("settings.identity={key}", "tokens.existingSecret is empty: it would know none"),
        (
            f"{SCALED},gateway.autoscaling.minReplicas=7",
            "minReplicas is 7, more than maxReplicas, 6",
        ),
        (
            f"{SCALED},gateway.resources.requests=null",
            "goes by CPU in percent of gateway.resources",
        ),
        ("journal.volume.emptyDir=null", "emptyDir or persistentVolumeClaim, found none."),
        (r"policies.a\.yaml=a: b: c", "policies.a.yaml: error converting YAML to JSON: yaml:"),
        (r"policies.a\.yaml=- a", "policies.a.yaml: error unmarshaling JSON:"),
        (
            "monitoring.rules.enabled=true,monitoring.rules.disabled={Tired}",
            "no alert Tired. There",
        ),
        ("journal.volume.csi.driver=a,journal.volume.nfs.path=b", "found csi, nfs."),
        (
            "extraEnv[0].name=HOLDFAST_DRAIN",
            "extraEnv has HOLDFAST_DRAIN, which follows from drain",
        ),
        ("fullnameOverride=yes", "yes is no text in YAML"),
    ],
)
def test_values_that_contradict_each_other(options, why):
    """Says what to do instead."""
    assert why in refused(f"--set={options}")


def test_a_service_is_not_named_by_a_number_first():
    """Kubernetes would say so only after half of a release is there."""
    ran = helm("template", "7agents", CHART, "--set=gateway.enabled=true")

    assert "7agents-holdfast, and a Service's name begins with a letter" in ran.stderr


def test_a_password_that_the_environment_has_is_in_no_configmap():
    """So a URL may name it."""
    ran = helm("template", "payments", CHART, "--set=store.url=redis://u:${PASSWORD}@r:6379")

    assert ran.returncode == 0, ran.stderr
