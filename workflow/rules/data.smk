# On a cluster this runs in the driver for sources that download, which compute nodes often cannot; it takes seconds. Images in
# files of one's own may be millions: decoding them is a job. One that is killed goes on where it ended.
rule prepare:
    output:
        data=str(dag.data),
    log:
        str(dag.layout.study / "logs" / "prepare.log"),
    retries: 3 if dag.decodes else 0
    localrule: not dag.decodes
    conda:
        "../../envs/scaling.yaml"
    params:
        data=str(dag.study.data),
        images=lambda wildcards: dag.images,
    message:
        "Preparing the images of {dag.study.data.source}"
    shell:
        dag.command("prepare") + " 2>&1 | tee -i {log:q}"
