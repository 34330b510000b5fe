# On a cluster this runs in the driver, as collecting and reporting do: it may have to download, which compute nodes often
# cannot, and a job of Slurm would cost more than these few seconds.
rule prepare:
    output:
        data=str(dag.data),
    log:
        str(dag.layout.study / "logs" / "prepare.log"),
    retries: 0
    localrule: True
    conda:
        "../../envs/scaling.yaml"
    params:
        data=str(dag.study.data),
        images=lambda wildcards: dag.images,
    message:
        "Preparing the images of {dag.study.data.source}"
    shell:
        dag.command("prepare") + " 2>&1 | tee -i {log:q}"
