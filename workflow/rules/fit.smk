rule collect:
    input:
        packs=[str(dag.layout.pack(name)) for name in dag.packs],
    output:
        runs=str(dag.layout.runs),
        probes=str(dag.layout.probes),
    log:
        str(dag.layout.study / "logs" / "collect.log"),
    retries: 0
    localrule: True
    conda:
        "../../envs/scaling.yaml"
    params:
        packs=sorted(dag.pack_hash(name) for name in dag.packs),
    message:
        "Collecting the runs of {dag.study.name} into one table"
    shell:
        dag.command("collect") + " --keep-going 2>&1 | tee -i {log:q}"


rule fit:
    input:
        runs=rules.collect.output.runs,
        probes=rules.collect.output.probes,
        benchmarks=[str(dag.layout.benchmarks)] if dag.study.benchmarks else [],
    output:
        fits=str(dag.layout.fits),
        claims=str(dag.layout.claims),
    log:
        str(dag.layout.study / "logs" / "fit.log"),
    conda:
        "../../envs/scaling.yaml"
    params:
        laws=dag.laws_hash,
        claims=dag.claims_hash,
    message:
        "Fitting the laws of {dag.study.name} and judging its claims"
    shell:
        dag.command("fit") + " --keep-going 2>&1 | tee -i {log:q}"
