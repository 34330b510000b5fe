rule prepare:
    output:
        data=str(dag.data),
    log:
        str(dag.layout.study / "logs" / "prepare.log"),
    params:
        data=str(dag.study.data),
    message:
        "Preparing the images of {dag.study.data.source}"
    conda:
        "../../envs/scaling.yaml"
    shell:
        "{PYTHON} -m scaling prepare {STUDY:q} 2>&1 | tee {log:q}"
