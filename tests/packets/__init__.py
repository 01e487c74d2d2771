"""Packets through the programs by BPF_PROG_TEST_RUN, judged by scapy and by the catalogue's own encoder."""
