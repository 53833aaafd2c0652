"""Time of the Frechet distance: ours from the data, against the computation of fadtk (by its formula, with scipy).

    python benchmarks/frechet_speed.py [--dim 1024] [--windows 1960] [--threads 1]

fadtk takes mean and covariance, the eigenvectors of C1 C2 with an inverse for the square root, and once more scipy's
sqrtm to warn if the two disagree. 196 clips of ten windows are 1960 windows; 1024 is the dimension of MS-CLAP.
"""

import argparse
import os
import time


def by_fadtk(x, y) -> float:
    """Covariances, eigenvectors, an inverse, and sqrtm for the check."""
    import numpy as np
    from scipy import linalg

    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    product = cov_x @ cov_y
    check = np.trace(linalg.sqrtm(product)).real
    values, vectors = linalg.eig(product)
    root = (vectors * np.emath.sqrt(values)) @ linalg.inv(vectors)
    shared = np.trace(root).real
    if abs(shared - check) > 1e-3:
        print("the two roots disagree")
    return float(((mean_x - mean_y) ** 2).sum() + np.trace(cov_x) + np.trace(cov_y) - 2 * shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--windows", type=int, default=1960)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    # Before numpy: its threads are counted when it is first imported.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

    import numpy as np
    import torch

    from foleygram.evaluation.frechet import GaussianStatistics, frechet_distance, frechet_from_statistics

    torch.set_num_threads(arguments.threads)
    random = np.random.default_rng(0)
    mixing = random.standard_normal((arguments.dim, arguments.dim)) / np.sqrt(arguments.dim)
    x = random.standard_normal((arguments.windows, arguments.dim)) @ mixing
    y = random.standard_normal((arguments.windows, arguments.dim)) @ mixing * 1.1 + 0.1

    def by_statistics(x, y) -> float:
        return frechet_from_statistics(GaussianStatistics.of(x), GaussianStatistics.of(y))

    ways = {"fadtk's computation": by_fadtk, "ours, from the data": frechet_distance, "ours, from statistics": by_statistics}
    times: dict[str, list[float]] = {name: [] for name in ways}
    values = {}
    for _ in range(arguments.repeats):
        # In turns, so that a busy machine slows all of them alike.
        for name, way in ways.items():
            started = time.perf_counter(), time.process_time()
            values[name] = way(x, y)
            times[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
    print(f"{arguments.windows} windows of {arguments.dim}, {arguments.threads} thread(s), best of {arguments.repeats}")
    slowest = min(cpu for _, cpu in times["fadtk's computation"])
    for name in ways:
        wall, cpu = (min(column) for column in zip(*times[name], strict=True))
        print(f"{name:24s} {values[name]:.9g}   {wall:6.2f} s   {cpu:6.2f} s of processor   {slowest / cpu:4.1f} x")


if __name__ == "__main__":
    main()
