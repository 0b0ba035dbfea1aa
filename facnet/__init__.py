"""FAC-Net (Huang, Wang and Li, ICCV 2021): model, training, localisation, evaluation."""
