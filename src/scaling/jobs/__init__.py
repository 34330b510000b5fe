"""Many runs on machines: packs, estimates, the runner, GPUs and Slurm, benchmarks, plan, status, what Snakemake needs."""
