import pytest

from penstock.broker import BrokerError, DataFolderError, EmbeddedKafka
from penstock.broker.storage import check_node, claimed, new_cluster, open_cluster, write_meta

OTHER = "OtherClusterOtherClusA"


def a_cluster(*, nodes=1, cluster_id=None, secure=False, users=None):
    return new_cluster(nodes, cluster_id, secure, users or {})


def test_reopened_folder_keeps_its_cluster_id_and_users(tmp_path):
    made = open_cluster(tmp_path, a_cluster(secure=True, users={"worker": "pw"}), cluster_id=None)

    found = open_cluster(tmp_path, a_cluster(secure=True), cluster_id=None)

    assert found == made
    assert set(found.users) == {"admin", "worker"}
    assert (tmp_path / "cluster.json").stat().st_mode & 0o077 == 0


def test_folder_of_another_cluster_is_refused_before_anything_starts(tmp_path):
    made = open_cluster(tmp_path, a_cluster(), cluster_id=None)

    with pytest.raises(DataFolderError, match=f"another cluster, {made.cluster_id}, not of {OTHER}"):
        open_cluster(tmp_path, a_cluster(cluster_id=OTHER), cluster_id=OTHER)


async def test_start_on_kafka_data_of_someone_else_is_refused(tmp_path):
    (tmp_path / "meta.properties").write_text(f"version=1\ncluster.id={OTHER}\nnode.id=1\n")

    with pytest.raises(DataFolderError, match=f"another cluster, {OTHER}"):
        await EmbeddedKafka(data_dir=tmp_path).start()


def test_node_data_of_another_cluster_or_node_is_refused(tmp_path):
    cluster = a_cluster()
    assert not check_node(tmp_path, cluster, 1)
    write_meta(tmp_path, cluster, 1)

    assert check_node(tmp_path, cluster, 1)
    with pytest.raises(DataFolderError, match="another cluster"):
        check_node(tmp_path, a_cluster(cluster_id=OTHER), 1)
    with pytest.raises(DataFolderError, match="node 2"):
        check_node(tmp_path, cluster, 2)


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(DataFolderError, match=r"not empty \(thesis.tex\)"):
        open_cluster(tmp_path, a_cluster(), cluster_id=None)


@pytest.mark.parametrize("wanted", [a_cluster(nodes=3), a_cluster(secure=True)])
def test_folder_of_another_shape_is_refused(tmp_path, wanted):
    open_cluster(tmp_path, a_cluster(), cluster_id=None)

    with pytest.raises(DataFolderError, match=r"1 node\(s\), not secured"):
        open_cluster(tmp_path, wanted, cluster_id=None)


def test_folder_in_use_is_refused(tmp_path):
    with claimed(tmp_path), pytest.raises(DataFolderError, match="in use"), claimed(tmp_path):
        pass


@pytest.mark.parametrize(
    "arguments",
    [{"nodes": 0}, {"port": 70_000}, {"users": {"a": "b"}}, {"secure": True, "users": {"a": 'b"c'}}, {"heap_mb": 1}],
)
def test_arguments_that_can_t_be_are_refused_when_given(arguments):
    with pytest.raises(BrokerError):
        EmbeddedKafka(**arguments)
