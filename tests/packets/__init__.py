"""Packets through the programs by BPF_PROG_TEST_RUN, checked by scapy and by the catalogue's own encoder."""
