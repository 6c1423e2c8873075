"""Image classification, one file per paper: lessons 10 to 18.

`MODELS` is the table of the room's networks: `MODELS["vgg16"](10)` builds one, `models_table()` prints them all. As in
torchvision, `crashcourse.classification.alexnet` is the builder; the module of the same name is reached by
`from crashcourse.classification.alexnet import AlexNet`.
"""

from crashcourse.classification.alexnet import AlexNet, alexnet
from crashcourse.classification.densenet import DenseNet, densenet121, densenet161, densenet169, densenet201
from crashcourse.classification.densenet_cifar import densenet_basic, densenet_bc
from crashcourse.classification.efficientnet import (
    EfficientNet,
    MBConv,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
    small_efficientnet,
)
from crashcourse.classification.efficientnet_scaling import compound_scaling
from crashcourse.classification.googlenet import GoogLeNet, Inception, googlenet, small_googlenet
from crashcourse.classification.mobilenet import (
    InvertedResidual,
    MobileNetV1,
    MobileNetV2,
    mobilenet_v1,
    mobilenet_v2,
    separable_conv,
)
from crashcourse.classification.models import MODELS, Model, models_table
from crashcourse.classification.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from crashcourse.classification.resnet_cifar import (
    CifarResNet,
    plain20,
    plain56,
    plain110,
    resnet20,
    resnet56,
    resnet110,
)
from crashcourse.classification.resnet_preact import (
    PreActResNet,
    preact_resnet20,
    preact_resnet56,
    preact_resnet110,
    preact_resnet164,
    preact_resnet1001,
)
from crashcourse.classification.resnext import resnext50_32x4d
from crashcourse.classification.senet import SEResNet, SqueezeExcitation, se_resnet50
from crashcourse.classification.shufflenet import (
    ShuffleNetV1,
    ShuffleNetV2,
    channel_shuffle,
    shufflenet_v1,
    shufflenet_v2,
)
from crashcourse.classification.squeezenet import Fire, SqueezeNet, squeezenet1_0, squeezenet1_1
from crashcourse.classification.stochastic_depth import stochastic_depth
from crashcourse.classification.vgg import VGG, small_vgg, vgg11, vgg13, vgg16, vgg16_c, vgg19
from crashcourse.classification.weights import load_pretrained, normalize
from crashcourse.classification.zfnet import ZFNet, zfnet

__all__ = [
    "MODELS",
    "VGG",
    "AlexNet",
    "CifarResNet",
    "DenseNet",
    "EfficientNet",
    "Fire",
    "GoogLeNet",
    "Inception",
    "InvertedResidual",
    "MBConv",
    "MobileNetV1",
    "MobileNetV2",
    "Model",
    "PreActResNet",
    "ResNet",
    "SEResNet",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "SqueezeExcitation",
    "SqueezeNet",
    "ZFNet",
    "alexnet",
    "channel_shuffle",
    "compound_scaling",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "densenet_basic",
    "densenet_bc",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "googlenet",
    "load_pretrained",
    "mobilenet_v1",
    "mobilenet_v2",
    "models_table",
    "normalize",
    "plain20",
    "plain56",
    "plain110",
    "preact_resnet20",
    "preact_resnet56",
    "preact_resnet110",
    "preact_resnet164",
    "preact_resnet1001",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnext50_32x4d",
    "se_resnet50",
    "separable_conv",
    "shufflenet_v1",
    "shufflenet_v2",
    "small_efficientnet",
    "small_googlenet",
    "small_vgg",
    "squeezenet1_0",
    "squeezenet1_1",
    "stochastic_depth",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg16_c",
    "vgg19",
    "zfnet",
]
