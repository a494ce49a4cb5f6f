"""The graph model: typed nodes and tensor refs over networkx, with transactional edits."""
