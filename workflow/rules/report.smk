rule report:
    input:
        runs=rules.collect.output.runs,
        fits=rules.fit.output.fits,
        benchmarks=[str(dag.layout.benchmarks)] if dag.study.benchmarks else [],
        rates=[str(dag.layout.tuning(family)) for family in dag.study.families],
    output:
        page=str(dag.layout.report),
    log:
        str(dag.layout.study / "logs" / "report.log"),
    retries: 0
    localrule: True
    conda:
        "../../envs/scaling.yaml"
    params:
        description=dag.study.description,
        code=dag.report_code,
    message:
        "Writing the report of {dag.study.name}"
    shell:
        dag.command("report") + " --keep-going 2>&1 | tee -i {log:q}"
