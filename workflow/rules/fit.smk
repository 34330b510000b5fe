rule collect:
    input:
        packs=[str(dag.layout.pack(name)) for name in dag.packs],
    output:
        runs=str(dag.layout.runs),
    log:
        str(dag.layout.study / "logs" / "collect.log"),
    params:
        packs=sorted(dag.pack_hash(name) for name in dag.packs),
    message:
        "Collecting the runs of {dag.study.name} into one table"
    conda:
        "../../envs/scaling.yaml"
    shell:
        "{PYTHON} -m scaling collect {STUDY:q} 2>&1 | tee {log:q}"


rule fit:
    input:
        runs=rules.collect.output.runs,
    output:
        fits=str(dag.layout.fits),
    log:
        str(dag.layout.study / "logs" / "fit.log"),
    params:
        laws=dag.laws_hash,
    message:
        "Fitting the laws of {dag.study.name}"
    conda:
        "../../envs/scaling.yaml"
    shell:
        "{PYTHON} -m scaling fit {STUDY:q} 2>&1 | tee {log:q}"
