"""Agreement of clusters of an embedding with labels."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from diffaug_bio._checks import check_seed
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.metrics._nearest import find_neighbors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors

RESOLUTIONS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 2.0)
_FALLBACK_RESOLUTION = 1.0
GRAPH_NEIGHBORS = 15
_MAX_LABEL_ROWS = 5000
_MAX_CLUSTER_ROWS = 2000
_EDGE_BLOCK = 100_000


def kmeans_agreement(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, random_state: int = 0
) -> dict[str, float]:
    """Score the agreement of k-means clusters, as many as there are labels, with the labels.

    Parameters
    ----------
    embedding, labels
        Rows `(n_obs, n_latent)`, and the label of each.
    random_state
        Seed of the ten starts.

    Returns
    -------
    `kmeans_nmi`, the normalised mutual information, and `kmeans_ari`, the adjusted Rand index.
    """
    from sklearn.cluster import KMeans

    check_seed(random_state)
    clusters = KMeans(len(np.unique(labels)), n_init=10, random_state=random_state).fit_predict(embedding)
    nmi, ari = _agreement(labels, clusters)
    return {"kmeans_nmi": nmi, "kmeans_ari": ari}


def leiden_agreement(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, random_state: int = 0
) -> dict[str, float]:
    """Score the agreement of Leiden clusters [1]_ of a neighbour graph with the labels.

    The graph joins every row to its 15 nearest neighbours; edges are weighted by the Jaccard similarity of
    the neighbours of their ends, as in PhenoGraph [2]_. Of eight resolutions from 0.1 to 2, the one whose
    clusters have the highest mean silhouette (on at most 2000 rows) is chosen, without the labels; 1.0 if
    all give one cluster. The best of the grid, chosen with the labels, is returned, too: papers often
    report it, but it does not estimate what a user will get.

    Parameters
    ----------
    embedding, labels
        Rows `(n_obs, n_latent)`, and the label of each.
    random_state
        Seed of Leiden and of the sample of rows.

    Returns
    -------
    `leiden_nmi`, `leiden_ari`, `leiden_resolution`, `leiden_n_clusters` of the chosen resolution, and
    `best_of_grid_nmi`, `best_of_grid_ari`, each the highest of any resolution.

    References
    ----------
    .. [1] Traag et al. (2019), Scientific Reports 9, 5233.
    .. [2] Levine et al. (2015), Cell 162, 184-197.
    """
    check_seed(random_state)
    return leiden_agreement_of(None, embedding, labels, random_state=random_state)


def leiden_agreement_of(
    neighbors: Neighbors | None,
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    random_state: int,
) -> dict[str, float]:
    """Score as :func:`leiden_agreement` does, by neighbours that are known already, if they are."""
    from sklearn.metrics import pairwise_distances

    rows = sample_rows(len(embedding), _MAX_CLUSTER_ROWS, seed=random_state)
    distances = pairwise_distances(np.asarray(embedding[rows], dtype=np.float64))
    grid = leiden_grid(embedding, random_state=random_state, neighbors=neighbors)
    quality = [_silhouette(distances, clusters[rows], metric="precomputed") for clusters in grid]
    chosen = RESOLUTIONS.index(_FALLBACK_RESOLUTION)
    if any(value is not None for value in quality):
        chosen = int(np.argmax([-np.inf if value is None else value for value in quality]))
    nmi, ari = _agreement(labels, grid[chosen])
    return {
        "leiden_nmi": nmi,
        "leiden_ari": ari,
        "leiden_resolution": RESOLUTIONS[chosen],
        "leiden_n_clusters": float(len(np.unique(grid[chosen]))),
        **best_of_grid(grid, labels),
    }


def leiden_grid(
    embedding: NDArray[np.float32], *, random_state: int = 0, neighbors: Neighbors | None = None
) -> list[NDArray[np.int64]]:
    """Cluster the graph of :func:`leiden_agreement` at each of `RESOLUTIONS`."""
    edges, weights = _neighbor_graph(embedding, neighbors)
    with _seeded_igraph(random_state) as igraph:
        graph = igraph.Graph(n=len(embedding), edges=edges)
        return [_leiden(graph, weights, resolution=resolution) for resolution in RESOLUTIONS]


def best_of_grid(grid: Sequence[NDArray[np.int64]], labels: NDArray[np.str_]) -> dict[str, float]:
    """Return the highest agreement of any clusters with the labels: NMI and ARI."""
    nmi, ari = zip(*(_agreement(labels, clusters) for clusters in grid), strict=True)
    return {"best_of_grid_nmi": max(nmi), "best_of_grid_ari": max(ari)}


def label_silhouette(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, random_state: int = 0
) -> float:
    """Compute the mean silhouette of the labels: closeness to the own class against the next one.

    Parameters
    ----------
    embedding, labels
        Rows `(n_obs, n_latent)`, and the label of each.
    random_state
        Seed of the sample of at most 5000 rows.

    Returns
    -------
    Silhouette from -1 to 1 (Rousseeuw 1987, Journal of Computational and Applied Mathematics 20, 53-65); 0
    if all rows are of one class, or each has its own.
    """
    check_seed(random_state)
    rows = sample_rows(len(embedding), _MAX_LABEL_ROWS, seed=random_state)
    found = _silhouette(np.asarray(embedding[rows], dtype=np.float64), labels[rows], metric="euclidean")
    return 0.0 if found is None else found


def _agreement(labels: NDArray[np.str_], clusters: NDArray[np.int64]) -> tuple[float, float]:
    """Return normalised mutual information and adjusted Rand index."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    nmi = normalized_mutual_info_score(labels, clusters)
    return float(nmi), float(adjusted_rand_score(labels, clusters))


def _silhouette(
    values: NDArray[np.float64], clusters: NDArray[np.int64] | NDArray[np.str_], *, metric: str
) -> float | None:
    """Return the mean silhouette; None if it is not defined."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(clusters)) < len(clusters):
        return None
    return float(silhouette_score(values, clusters, metric=metric))


def _neighbor_graph(
    embedding: NDArray[np.float32], neighbors: Neighbors | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return edges `(n_edges, 2)` of the neighbour graph, and the Jaccard similarity of their ends."""
    n_obs, n_neighbors = len(embedding), min(GRAPH_NEIGHBORS, len(embedding) - 1)
    found = neighbors or find_neighbors(embedding, n_neighbors + 1)
    near = found.indices[:, 1 : n_neighbors + 1].ravel()  # no row is its own neighbour
    starts = np.arange(0, len(near) + 1, n_neighbors)
    directed = sparse.csr_matrix((np.ones(len(near)), near, starts), shape=(n_obs, n_obs))
    upper = sparse.triu(directed.maximum(directed.T), k=1).tocoo()
    edges = np.column_stack([upper.row, upper.col]).astype(np.int64)
    # Blocks of edges, not `directed @ directed.T`: a row that is neighbour to many would fill that product.
    blocks = np.split(edges, range(_EDGE_BLOCK, len(edges), _EDGE_BLOCK))
    shared = np.concatenate(
        [np.asarray(directed[b[:, 0]].multiply(directed[b[:, 1]]).sum(1)).ravel() for b in blocks]
    )
    return edges, shared / (2 * n_neighbors - shared)


def _leiden(graph: Any, weights: NDArray[np.float64], *, resolution: float) -> NDArray[np.int64]:
    """Return the cluster of every row, by modularity at a resolution, with as many iterations as scanpy."""
    clusters = graph.community_leiden(
        objective_function="modularity", weights=weights, resolution=resolution, n_iterations=2
    )
    return np.asarray(clusters.membership, dtype=np.int64)


@contextmanager
def _seeded_igraph(random_state: int) -> Iterator[Any]:
    """Let igraph draw random numbers from a seed, and afterwards from `random` again, its default."""
    import igraph

    igraph.set_random_number_generator(random.Random(random_state))
    try:
        yield igraph
    finally:
        igraph.set_random_number_generator(random)
