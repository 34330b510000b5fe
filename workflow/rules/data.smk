rule prepare:
    output:
        data=str(dag.data),
    log:
        str(dag.layout.study / "logs" / "prepare.log"),
    conda:
        "../../envs/scaling.yaml"
    params:
        data=str(dag.study.data),
    message:
        "Preparing the images of {dag.study.data.source}"
    shell:
        dag.command("prepare") + " 2>&1 | tee -i {log:q}"
