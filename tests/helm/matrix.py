"""The values that tests of the chart draw it with."""

from pathlib import Path
from typing import NamedTuple

from tests.helm.drawing import CHART, GATEWAY, NEWEST, OLDEST, Drawn, agent_chart, drawn

STORE = "--set=store.existingSecret=redis-url"
REDIS = "--set=redis.enabled=true,redis.existingSecret=redis-password"
ALONE = "--set=gateway.enabled=true"
SECRETS = (
    "--set=tokens.existingSecret=t,credentials.existingSecret=c",
    "--set=fleetKey.existingSecret=f,journal.existingSecret=j",
)


class Case(NamedTuple):
    """Values, and the cluster that they are for."""

    options: tuple[str | Path, ...] = ()
    kube: str = NEWEST
    example: bool = False  # of a chart that has the sidecar

    def drawn(self) -> list[Drawn]:
        """What it makes."""
        return drawn(*self.options, chart=agent_chart() if self.example else CHART, kube=self.kube)


CASES = {
    "nothing said": Case(),
    "native sidecar": Case(example=True),
    "native sidecar, first cluster that has it": Case(kube="1.29.0", example=True),
    "classic sidecar": Case(("--set=holdfast.sidecar.form=classic",), example=True),
    "classic sidecar, old cluster": Case(kube=OLDEST, example=True),
    "sidecar with all": Case(
        (
            "--set=holdfast.redis.enabled=true,holdfast.redis.existingSecret=r",
            "--set=holdfast.journal.volumeName=kept,holdfast.fleetKey.existingSecret=f",
            "--set=holdfast.networkPolicy.sidecars.enabled=true",
            '--set-json=holdfast.networkPolicy.sidecars.egress=[{"ports":[{"port":443}]}]',
            '--set-json=holdfast.networkPolicy.sidecars.ingress=[{"ports":[{"port":8080}]}]',
            '--set-json=holdfast.extraEnv=[{"name":"A","value":"b"}]',
        ),
        example=True,
    ),
    "sidecar with a claim": Case(
        ("--set=holdfast.journal.volume.persistentVolumeClaim.claimName=kept",), example=True
    ),
    "agent of a gateway": Case(("--set=holdfast.gateway.enabled=true",), example=True),
    "gateway": Case((ALONE,)),
    "gateway, old cluster": Case((ALONE, STORE, "--set=gateway.replicas=3"), kube=OLDEST),
    "gateway as in the example": Case(("--values", GATEWAY)),
    "OpenShift": Case(
        (
            ALONE,
            REDIS,
            "--set=securityContext.runAsUser=null,securityContext.runAsGroup=null,redis.user=null",
        )
    ),
    "gateway without volumes": Case(
        (
            ALONE,
            REDIS,
            *SECRETS,
            "--set=gateway.persistence.enabled=false,redis.persistence.enabled=false",
            "--set=gateway.autoscaling.enabled=true",
        )
    ),
    "gateway with all": Case(
        (
            ALONE,
            STORE,
            *SECRETS,
            "--set=gateway.replicas=3,image.digest=sha256:" + "0" * 64,
            "--set=imagePullSecrets={a,b},gateway.priorityClassName=high",
            "--set=gateway.persistence.storageClassName=fast,gateway.nodeSelector.disk=ssd",
            '--set-json=gateway.tolerations=[{"operator":"Exists"}]',
            '--set-json=gateway.affinity={"nodeAffinity":{}}',
            '--set-json=networkPolicy.egress=[{"ports":[{"port":443,"protocol":"TCP"}]}]',
            '--set-json=extraVolumes=[{"name":"ca","configMap":{"name":"ca"}}]',
            '--set-json=extraVolumeMounts=[{"name":"ca","mountPath":"/etc/ca","readOnly":true}]',
            "--set=networkPolicy.confined.who=agent,gateway.service.type=LoadBalancer",
            "--set=settings.identity={key}",
        )
    ),
}
